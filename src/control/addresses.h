// addresses.h: the loopback addresses that endpoints answer on, one each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "meta/meta.h"

namespace tarn::control {

// "127.64.0.0/10": a block of loopback addresses. Those ending in .0 or .255 are never handed
// out: some systems treat them as network and broadcast addresses.
class AddressBlock {
  public:
    static Result<AddressBlock> parse(std::string_view text);

    // A free address, unique among all endpoints. Goes round the block before it takes one again,
    // so that a client which still holds a deleted endpoint's address does not reach a stranger's.
    Result<std::string> allocate(meta::Session& session) const;

    // The lowest address that may be handed out, whether it is free or not.
    std::string first() const;

  private:
    uint32_t base_ = 0;
    unsigned prefix_ = 32;

    uint64_t count() const { return uint64_t{1} << (32 - prefix_); }
};

}  // namespace tarn::control
