// page.h: page_size and page_token of lists. A token is opaque: it names the last item of its page.
#pragma once

#include <string>
#include <vector>

#include "api/http.h"

namespace tarn::api {

inline constexpr size_t kPageSizeMax = 100;  // also what a client gets that asks for none

struct PageRequest {
    size_t size = kPageSizeMax;
    std::vector<std::string> after;  // the keys in the token; empty strings for the first page
};

// `keys`: how many keys the list's tokens carry.
Result<PageRequest> page_request(const Request& request, size_t keys);
std::string page_token(const std::vector<std::string>& keys);

}  // namespace tarn::api
