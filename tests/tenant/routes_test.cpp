#include "samples/tenant/routes.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace tenant;

TEST_CASE("routes: every entry finds itself, and other methods are told what is allowed") {
    for (const auto& route : routes()) {
        CAPTURE(route.path);
        std::string target = std::string(api_root) + std::string(route.path);
        if (const auto at = target.find("{userId}"); at != std::string::npos) target.replace(at, 8, "u%2D1");
        const auto match = match_route(route.method, target);
        REQUIRE(match.route == &route);
        CHECK(match.user_id.value_or("") == (target.find("u%2D1") == std::string::npos ? "" : "u-1"));
        CHECK(match_route(route.method, target + "?x=y").route == &route);
        const auto other = match_route("PUT", target);
        CHECK(other.route == nullptr);
        CHECK(other.allow == route.method);
        for (const std::string stray : {"/", "x", "/x"})
            CHECK(match_route(route.method, target + stray).allow.empty());
    }
}

TEST_CASE("routes: what is no path of the API") {
    for (const std::string target :
         {"", "/", "/AdminInterface", "/AdminInterface/restapi", "/AdminInterface/restapi/",
          "/AdminInterface/restapi/v1", "/AdminInterface/restapi/v2/ds100/enable/otp",
          "/AdminInterface/restapi/ds100/enable/otp", "/admininterface/restapi/v1/ds100/enable/otp",
          "/AdminInterface/restapiv1/ds100/enable/otp", "/AdminInterface/restapi/v1/users//sidTokens/assign",
          "/AdminInterface/restapi/v1/users/a/b/sidTokens/assign",
          "/AdminInterface/restapi/v1//ds100/enable/otp"}) {
        CAPTURE(target);
        const auto match = match_route("PATCH", target);
        CHECK(match.route == nullptr);
        CHECK(match.allow.empty());
    }
    CHECK(is_api_path("/AdminInterface/restapi/v1/x"));
    CHECK_FALSE(is_api_path("/AdminInterface/restapix"));
}

TEST_CASE("routes: no two operations share a word or a path and method") {
    std::set<std::string> words, paths;
    for (const auto& route : routes()) {
        CHECK(words.insert(std::string(route.word)).second);
        CHECK(paths.insert(std::string(route.method) + " " + std::string(route.path)).second);
    }
}
