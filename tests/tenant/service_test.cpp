// Both gates together: who is let in, what is refused before any rule, and which requests leave an audit row.
#include "samples/tenant/service.hpp"

#include "tests/tenant/signing.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tenant;
using namespace tenant_test;
using namespace std::chrono_literals;

namespace {

const std::string user = "aaaaaaaa-0000-4000-8000-000000000001";
const std::string help_desk = "11111111-1111-4111-8111-111111111111";
const std::string super_admin = "22222222-2222-4222-8222-222222222222";
const std::string serial = "000000000011";
const Now now{Wall{1'700'000'000'123ms}, 1000s};

Snapshot make_snapshot() {
    Snapshot snapshot;
    snapshot.users = {{user, "ada@example.com", Status::enabled}};
    snapshot.tokens.emplace_back();
    snapshot.tokens[0].serial = serial;
    snapshot.tokens[0].expiry = "2035-06-30";
    snapshot.devices.emplace_back();
    snapshot.devices[0] = {"140100080", user, "014010008031", Status::disabled, {}, {}};
    snapshot.admins = {{help_desk, Role::help_desk, first_key().public_key},
                       {super_admin, Role::super_admin, second_key().public_key}};
    snapshot.audience = "https://localhost:8443/AdminInterface/restapi/v1";
    return snapshot;
}

std::string bearer(bool super) {
    return "Bearer " + signed_token(R"({"typ":"JWT","alg":"RS256"})",
                                    R"({"sub":")" + (super ? super_admin : help_desk) +
                                        R"(","aud":"https://localhost:8443/AdminInterface/restapi/v1",)"
                                        R"("iat":1700000000,"exp":1700003600})",
                                    super ? second_key().private_key : first_key().private_key);
}

const std::string& help_desk_bearer() {
    static const std::string text = bearer(false);
    return text;
}

/// A request with everything in order unless changed.
struct Asked {
    std::string method = "PATCH";
    std::string target = "/AdminInterface/restapi/v1/users/" + user + "/sidTokens/assign";
    std::string authorization = help_desk_bearer();
    std::string content_type = "application/json";
    std::string body = R"({"tokenSerialNumber":")" + serial + R"("})";

    [[nodiscard]] Request view() const { return {method, target, authorization, content_type, body}; }
};

/// A fresh service meets the request.
Outcome meet(const Asked& asked) {
    Service service(make_snapshot(), {});
    const auto admission = service.admit(asked.view(), now);
    REQUIRE_FALSE(admission.refused);
    return service.handle(asked.view(), *admission.admin, now.wall);
}

}  // namespace

TEST_CASE("service: an assigned token leaves its change and its audit row") {
    const auto outcome = meet({});
    CHECK(outcome.reply.status == 200);
    REQUIRE(outcome.write);
    CHECK(std::get<Token>(outcome.write->change).user_id == user);
    const auto& audit = outcome.write->audit;
    CHECK(audit.at == "2023-11-14T22:13:20.123Z");
    CHECK(audit.admin == help_desk);
    CHECK(audit.operation == "assign");
    CHECK(audit.user_id == user);
    CHECK(audit.serial == serial);
    CHECK(audit.http_status == 200);
    CHECK(audit.changed);
}

TEST_CASE("service: every refusal of a rule leaves a row that changed nothing") {
    struct Case {
        std::string body;
        int status;
    };
    for (const auto& [body, status] :
         std::initializer_list<Case>{{"", 400},
                                     {"{", 400},
                                     {"[]", 400},
                                     {"\"x\"", 400},
                                     {"{}", 400},
                                     {R"({"tokenSerialNumber":11})", 400},
                                     {R"({"tokenSerialNumber":null})", 400},
                                     {R"({"tokenSerialNumber":"11"} x)", 400},
                                     {R"({"tokenSerialNumber":"000000000011","tokenName":7})", 400},
                                     {"{\"tokenSerialNumber\":\"\xFF\"}", 400},
                                     {R"({"tokenSerialNumber":"000000000011","tokenName":"\udc00"})", 400},
                                     {R"({"tokenSerialNumber":"000000000099"})", 404}}) {
        CAPTURE(body);
        Asked asked;
        asked.body = body;
        const auto outcome = meet(asked);
        CHECK(outcome.reply.status == status);
        REQUIRE(outcome.write);
        CHECK(outcome.write->audit.http_status == status);
        CHECK_FALSE(outcome.write->audit.changed);
        CHECK(outcome.write->change.index() == 0);
    }
}

TEST_CASE("service: a DS100 call is audited by its device") {
    Asked asked;
    asked.target = "/AdminInterface/restapi/v1/ds100/enable/otp";
    asked.body = R"({"deviceSerialNumber":"140100080","userId":")" + user + R"("})";
    const auto outcome = meet(asked);
    CHECK(outcome.reply.status == 200);
    REQUIRE(outcome.write);
    CHECK(outcome.write->audit.operation == "enable-ds100");
    CHECK(outcome.write->audit.serial == "140100080");
    CHECK(outcome.write->audit.user_id == user);
}

TEST_CASE("service: paths, methods and media types are judged without an audit row") {
    Asked path;
    path.target = "/AdminInterface/restapi/v1/nothing";
    CHECK(meet(path).reply.status == 404);
    CHECK_FALSE(meet(path).write);
    Asked method;
    method.method = "POST";
    const auto refused = meet(method);
    CHECK(refused.reply.status == 405);
    CHECK(refused.reply.headers == "Allow: PATCH\r\n");
    CHECK_FALSE(refused.write);
    method.method = "\x01\x90PATCH";
    CHECK(meet(method).reply.body.find("serve this method") != std::string::npos);
    Asked media;
    for (const std::string type : {"text/plain", "application/x-www-form-urlencoded", "application/jsonx"}) {
        media.content_type = type;
        CHECK(meet(media).reply.status == 415);
        CHECK_FALSE(meet(media).write);
    }
    for (const std::string type :
         {"", "application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"}) {
        media.content_type = type;
        CHECK(meet(media).reply.status == 200);
    }
}

TEST_CASE("service: lookups leave no audit row") {
    Asked asked;
    asked.method = "POST";
    asked.target = "/AdminInterface/restapi/v1/sidTokens/lookup";
    const auto outcome = meet(asked);
    CHECK(outcome.reply.status == 200);
    CHECK_FALSE(outcome.write);
}

TEST_CASE("service: only a super administrator deletes, and the refusal is audited") {
    Asked asked;
    asked.method = "DELETE";
    asked.target = "/AdminInterface/restapi/v1/sidTokens/delete";
    const auto refused = meet(asked);
    CHECK(refused.reply.status == 403);
    REQUIRE(refused.write);
    CHECK(refused.write->audit.http_status == 403);
    asked.authorization = bearer(true);
    CHECK(meet(asked).reply.status == 200);
}

TEST_CASE("service: without a good bearer token everything of the API is 403, and nothing else exists") {
    for (const auto& authorization :
         {std::string{}, std::string{"Bearer"}, std::string{"Bearer "}, std::string{"Basic eDp5"},
          help_desk_bearer().substr(7), help_desk_bearer() + "x"}) {
        CAPTURE(authorization);
        Asked asked;
        asked.authorization = authorization;
        Service service(make_snapshot(), {});
        const auto admission = service.admit(asked.view(), now);
        REQUIRE(admission.refused);
        CHECK(admission.refused->status == 403);
    }
    Asked outside;
    outside.target = "/";
    Service service(make_snapshot(), {});
    CHECK(service.admit(outside.view(), now).refused->status == 404);
    Asked lower_case;
    lower_case.authorization = "bearer" + help_desk_bearer().substr(6);
    CHECK_FALSE(service.admit(lower_case.view(), now).refused);
}

TEST_CASE("service: the quota counts requests that are let in, and no others") {
    Service::Options options;
    options.limits = {*parse_limit("window:2/10s,headers")};
    Service service(make_snapshot(), options);
    Asked stranger;
    stranger.authorization.clear();
    for (int i = 0; i < 5; ++i) CHECK(service.admit(stranger.view(), now).refused->status == 403);
    const Asked asked;
    CHECK(service.admit(asked.view(), now).headers.find("X-RateLimit-Remaining: 1") != std::string::npos);
    CHECK_FALSE(service.admit(asked.view(), now).refused);
    const auto third = service.admit(asked.view(), now);
    REQUIRE(third.refused);
    CHECK(third.refused->status == 429);
    CHECK(third.refused->headers.find("Retry-After: ") != std::string::npos);
    const Now later{now.wall + 10s, now.steady + 10s};
    CHECK_FALSE(service.admit(asked.view(), later).refused);
}

TEST_CASE("service: faults are told at admission, before anything is applied") {
    Service::Options options;
    options.faults = {*parse_fault("500:100%"), *parse_fault("latency:20ms")};
    Service service(make_snapshot(), options);
    const auto admission = service.admit(Asked{}.view(), now);
    CHECK(admission.fault.kind == FaultKind::internal_error);
    CHECK(admission.fault.delay == 20ms);
    CHECK(internal_error().status == 500);
    for (std::uint64_t variety = 0; variety < 8; ++variety) CHECK(garbage(variety).status == 200);
}
