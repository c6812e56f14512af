// object_store.h: a place for immutable objects, away from the machine's own disk: a directory, or
// a bucket that speaks S3. Small on purpose: whatever keeps its files elsewhere builds on it.
//
// An object is there whole or not at all, whoever dies when. It never changes: who puts one whose
// name is taken puts the same bytes, or bytes that serve as well. Nothing orders two puts but the
// answer of the first.
//
// Threads: one a store; make a store for each thread.
// Fails with: invalid_argument (a name, a size), not_found, permission_denied, no_space,
// unavailable and timed_out (tried again already: kAttempts), io_error, data_loss (what came is not
// what was sent).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace tarn::objects {

// One request takes an object whole, in memory.
inline constexpr size_t kObjectBytesMax = size_t{64} << 20;
inline constexpr size_t kObjectNameMax = 512;

struct ObjectInfo {
    std::string name;
    uint64_t bytes = 0;
};

class ObjectStore {
  public:
    virtual ~ObjectStore() = default;

    // What it is and where, for messages.
    virtual std::string place() const = 0;

    // When it has answered, the object outlives a power cut.
    virtual Result<void> put(const std::string& name, std::string_view bytes) = 0;
    virtual Result<std::string> get(const std::string& name) = 0;
    // All whose names begin with `prefix`, sorted by name. What is put meanwhile may be among them.
    virtual Result<std::vector<ObjectInfo>> list(const std::string& prefix) = 0;
    // One that is not there is fine. When it has answered, the object does not come back.
    virtual Result<void> remove(const std::string& name) = 0;
    // Removes what puts of objects below `folder` have left that began before then and whose
    // writers died; answers how much.
    virtual Result<size_t> remove_leftovers(const std::string& folder, Time before) = 0;
};

// A name is parts of a-z, A-Z, 0-9, '.', '_' and '-', none of which begins with '.', divided by
// '/'.
Result<void> check_object_name(std::string_view name);
// The same for the beginning of one; "" means all.
Result<void> check_object_prefix(std::string_view prefix);

}  // namespace tarn::objects
