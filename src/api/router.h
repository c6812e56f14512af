// router.h: which handler answers a path.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/http.h"

namespace tarn::api {

enum class Access : uint8_t { open, bearer };  // whether a token is needed

class Router {
  public:
    struct Match {
        const Handler* handler;
        Access access;
        std::vector<std::string> captures;
    };
    struct WrongMethod {
        std::string allowed;  // "GET, POST"
    };
    struct NoRoute {};

    // `pattern`: "/api/2.0/postgres/projects/*"; '*' stands for one segment that is not empty,
    // "*:verb" for one that ends in ":verb", of which only the rest is captured.
    void add(std::string_view method, std::string_view pattern, Access access, Handler handler);

    std::variant<Match, WrongMethod, NoRoute> find(std::string_view method,
                                                   std::string_view path) const;

  private:
    struct Route {
        std::string method;
        std::vector<std::string> segments;
        Access access;
        Handler handler;
    };
    std::vector<Route> routes_;
};

}  // namespace tarn::api
