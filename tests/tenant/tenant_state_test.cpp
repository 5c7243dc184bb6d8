// The rules as a sweep: every refusal of every operation, and what success changes.
#include "samples/tenant/tenant_state.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <string>
#include <vector>

using namespace tenant;
using namespace std::chrono_literals;

namespace {

const std::string ada = "aaaaaaaa-0000-4000-8000-000000000001";
const std::string bob = "bbbbbbbb-0000-4000-8000-000000000002";
const std::string disabled_user = "cccccccc-0000-4000-8000-000000000003";
const std::string nobody = "dddddddd-0000-4000-8000-000000000004";
const std::string admin = "eeeeeeee-0000-4000-8000-000000000005";
const std::string free_token = "000000000011";
const std::string ada_token = "000000000012";
const std::string bob_token = "000000000013";
const std::string expired_token = "000000000014";
const std::string enabled_token = "000000000015";  // ada's
const std::string unknown_token = "000000000099";
const std::string ada_device = "140100080";
const std::string unknown_device = "140100099";
const Wall now{1'700'000'000'123ms};
const std::string now_text = "2023-11-14T22:13:20.123Z";

Token make_token(const std::string& serial, const std::string& owner) {
    Token token;
    token.serial = serial;
    token.expiry = "2035-06-30";
    if (owner.empty()) return token;
    token.user_id = owner;
    token.state = TokenState::activated;
    token.name = serial;
    token.assigned_at = "2023-01-01T00:00:00.000Z";
    token.assigned_by = "someone@securid.com";
    return token;
}

Snapshot make_snapshot() {
    Snapshot snapshot;
    snapshot.users = {{ada, "ada.lovelace.1@example.com", Status::enabled},
                      {bob, "bob@example.com", Status::enabled},
                      {disabled_user, "carol@example.com", Status::disabled}};
    auto expired = make_token(expired_token, "");
    expired.expiry = "2023-11-14";
    auto enabled = make_token(enabled_token, ada);
    enabled.status = Status::enabled;
    enabled.status_changed_at = "2023-01-02T00:00:00.000Z";
    enabled.status_changed_by = "someone@securid.com";
    snapshot.tokens = {make_token(free_token, ""), make_token(ada_token, ada), make_token(bob_token, bob),
                       expired, enabled};
    Device device;
    device.serial = ada_device;
    device.user_id = ada;
    device.token_serial = "014010008031";
    snapshot.devices = {device};
    return snapshot;
}

Command command(Operation operation, const std::string& user, const std::string& serial) {
    Command made;
    made.operation = operation;
    made.admin = admin;
    made.user_id = user;
    made.fields.token_serial = serial;
    return made;
}

Command device_command(Operation operation, const std::string& user, const std::string& serial) {
    Command made;
    made.operation = operation;
    made.admin = admin;
    made.fields.user_id = user;
    made.fields.device_serial = serial;
    return made;
}

/// Every case starts from a fresh tenant. Checks the status and that refusals and no-ops change nothing.
Verdict run(const Command& given, int status, bool changed) {
    TenantState state(make_snapshot());
    auto verdict = state.apply(given, now);
    CAPTURE(verdict.reply.body);
    CHECK(verdict.reply.status == status);
    CHECK(verdict.changed() == changed);
    simdjson::dom::parser parser;
    simdjson::dom::element body;
    CHECK(parser.parse(verdict.reply.body).get(body) == simdjson::SUCCESS);
    if (status == 200) return verdict;
    std::string_view code, message;
    CHECK(body["code"].get(code) == simdjson::SUCCESS);
    CHECK(body["message"].get(message) == simdjson::SUCCESS);
    CHECK(message.size() > 10);
    return verdict;
}

void refused(const Command& given, int status) {
    (void)run(given, status, false);
}

std::string member(const Verdict& verdict, const char* name) {
    simdjson::dom::parser parser;
    simdjson::dom::element body;
    if (parser.parse(verdict.reply.body).get(body) != simdjson::SUCCESS) return "(no JSON)";
    simdjson::dom::element value;
    if (body.is_array() && body.at(0).get(body) != simdjson::SUCCESS) return "(empty)";
    if (body[name].get(value) != simdjson::SUCCESS) return "(absent)";
    std::string_view text;
    return value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value);
}

}  // namespace

TEST_CASE("rules: assign changes the state, and nothing about the status") {
    TenantState state(make_snapshot());
    auto given = command(Operation::assign, ada, free_token);
    given.fields.token_name = "My SecurID Token 789";
    const auto verdict = state.apply(given, now);
    CHECK(verdict.reply.status == 200);
    CHECK(member(verdict, "userId") == ada);
    CHECK(member(verdict, "tokenSerialNumber") == free_token);
    CHECK(member(verdict, "tokenState") == "Activation Pending");
    CHECK(member(verdict, "assignedAt") == now_text);
    CHECK(member(verdict, "assignedBy") == admin + "@securid.com");
    const auto* token = state.token(free_token);
    REQUIRE(token != nullptr);
    CHECK(token->user_id == ada);
    CHECK(token->name == "My SecurID Token 789");
    CHECK(token->status == Status::disabled);
    CHECK(token->status_changed_at.empty());
    CHECK(std::get<Token>(verdict.change).assigned_at == now_text);
}

TEST_CASE("rules: an assigned token is named after its serial unless told otherwise") {
    for (const auto& name : {std::optional<std::string>{}, std::optional<std::string>{""}}) {
        auto given = command(Operation::assign, ada, free_token);
        given.fields.token_name = name;
        CHECK(std::get<Token>(run(given, 200, true).change).name == free_token);
    }
    auto longest = command(Operation::assign, ada, free_token);
    for (int i = 0; i < 255; ++i)
        longest.fields.token_name.emplace(longest.fields.token_name.value_or("") + "é");
    CHECK(std::get<Token>(run(longest, 200, true).change).name.size() == 510);
    longest.fields.token_name->append("x");
    refused(longest, 400);
}

TEST_CASE("rules: tokens whose serial ends in 0 are active at once") {
    auto snapshot = make_snapshot();
    snapshot.tokens.push_back(make_token("000000000020", ""));
    TenantState state(snapshot);
    CHECK(member(state.apply(command(Operation::assign, ada, "000000000020"), now), "tokenState") ==
          "Activated");
}

TEST_CASE("rules: assign refuses malformed, unknown and conflicting requests") {
    for (const std::string id :
         {"", "x", "aaaaaaaa00004000800000000000000001", "aaaaaaaa-0000-4000-8000-00000000000g"}) {
        refused(command(Operation::assign, id, free_token), 400);
    }
    for (const auto& serial :
         {std::string(), std::string("12a"), std::string(" 12"), std::string("-1"), std::string(37, '1')}) {
        CAPTURE(serial);
        refused(command(Operation::assign, ada, serial), 400);
    }
    auto without = command(Operation::assign, ada, "");
    without.fields.token_serial.reset();
    refused(without, 400);
    refused(command(Operation::assign, nobody, free_token), 404);
    refused(command(Operation::assign, ada, unknown_token), 404);
    refused(command(Operation::assign, ada, std::string(36, '1')), 404);
    refused(command(Operation::assign, ada, "11"), 404);  // leading zeros count
    const auto same = run(command(Operation::assign, ada, ada_token), 409, false);
    const auto other = run(command(Operation::assign, ada, bob_token), 409, false);
    CHECK(member(same, "message") == "Token 000000000012 is already assigned to this user.");
    CHECK(member(other, "message") == "Token 000000000013 is already assigned to another user.");
    refused(command(Operation::assign, ada, expired_token), 409);
    refused(command(Operation::assign, disabled_user, free_token), 409);
}

TEST_CASE("rules: a sixth active token is refused until one is unassigned") {
    auto snapshot = make_snapshot();
    std::vector<std::string> serials;
    for (int i = 0; i < 6; ++i) {
        serials.push_back("00000000010" + std::to_string(i));
        snapshot.tokens.push_back(make_token(serials.back(), ""));
    }
    TenantState state(snapshot);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(state.apply(command(Operation::assign, bob, serials[i]), now).reply.status == 200);
    }
    const auto sixth = state.apply(command(Operation::assign, bob, serials[4]), now);
    CHECK(sixth.reply.status == 409);
    CHECK(member(sixth, "code") == "TOO_MANY_TOKENS");
    CHECK(state.apply(command(Operation::unassign, bob, serials[0]), now).reply.status == 200);
    CHECK(state.apply(command(Operation::assign, bob, serials[4]), now).reply.status == 200);
    CHECK(state.apply(command(Operation::assign, bob, serials[5]), now).reply.status == 409);
}

TEST_CASE("rules: enable and disable change the status once") {
    TenantState state(make_snapshot());
    const auto enabled = state.apply(command(Operation::enable, ada, ada_token), now);
    CHECK(enabled.changed());
    CHECK(member(enabled, "tokenStatus") == "Enabled");
    CHECK(member(enabled, "tokenStatusChangedAt") == now_text);
    CHECK(member(enabled, "tokenStatusChangedBy") == admin + "@securid.com");
    const auto again = state.apply(command(Operation::enable, ada, ada_token), now + 5s);
    CHECK(again.reply.status == 200);
    CHECK_FALSE(again.changed());
    CHECK(member(again, "tokenStatusChangedAt") == now_text);
    const auto disabled = state.apply(command(Operation::disable, ada, ada_token), now + 6s);
    CHECK(disabled.changed());
    CHECK(member(disabled, "tokenStatus") == "Disabled");
    CHECK(state.token(ada_token)->state == TokenState::activated);
}

TEST_CASE("rules: a status that never changed tells no time") {
    const auto verdict = run(command(Operation::disable, ada, ada_token), 200, false);
    CHECK(member(verdict, "tokenStatusChangedAt") == "null");
}

TEST_CASE("rules: enable and disable know 404 and 409, and 400 only for what is no request") {
    for (const auto operation : {Operation::enable, Operation::disable}) {
        refused(command(operation, nobody, ada_token), 404);
        refused(command(operation, "x", ada_token), 404);
        refused(command(operation, ada, unknown_token), 404);
        refused(command(operation, ada, std::string(37, '1')), 404);
        refused(command(operation, ada, "abc"), 404);
        refused(command(operation, ada, free_token), 409);
        refused(command(operation, ada, bob_token), 409);
        auto without = command(operation, ada, "");
        without.fields.token_serial.reset();
        refused(without, 400);
    }
}

TEST_CASE("rules: user IDs are compared without regard to case and answered in lower case") {
    std::string upper = ada;
    for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    CHECK(member(run(command(Operation::assign, upper, free_token), 200, true), "userId") == ada);
    CHECK(member(run(command(Operation::enable, upper, ada_token), 200, true), "userId") == ada);
    CHECK(member(run(device_command(Operation::enable_ds100, upper, ada_device), 200, true), "userId") ==
          ada);
}

TEST_CASE("rules: unassign gives the token back, disabled") {
    TenantState state(make_snapshot());
    const auto verdict = state.apply(command(Operation::unassign, ada, enabled_token), now);
    CHECK(verdict.reply.status == 200);
    CHECK(member(verdict, "tokenState") == "Unassigned");
    const auto* token = state.token(enabled_token);
    CHECK(token->user_id.empty());
    CHECK(token->name.empty());
    CHECK(token->status == Status::disabled);
    CHECK(token->status_changed_at == now_text);
    refused(command(Operation::unassign, ada, free_token), 409);
    refused(command(Operation::unassign, ada, bob_token), 409);
    refused(command(Operation::unassign, nobody, ada_token), 404);
    refused(command(Operation::unassign, ada, unknown_token), 404);
    refused(command(Operation::unassign, "x", ada_token), 400);
    refused(command(Operation::unassign, ada, "x"), 400);
}

TEST_CASE("rules: DS100 enable answers an array and changes once") {
    TenantState state(make_snapshot());
    const auto verdict = state.apply(device_command(Operation::enable_ds100, ada, ada_device), now);
    CHECK(verdict.changed());
    CHECK(verdict.reply.body.starts_with("[{"));
    CHECK(member(verdict, "deviceSerialNumber") == ada_device);
    CHECK(member(verdict, "tokenSerialNumber") == "014010008031");
    CHECK(member(verdict, "tokenStatus") == "Enabled");
    CHECK_FALSE(state.apply(device_command(Operation::enable_ds100, ada, ada_device), now).changed());
    CHECK(state.apply(device_command(Operation::disable_ds100, ada, ada_device), now).changed());
    CHECK(state.device(ada_device)->status == Status::disabled);
}

TEST_CASE("rules: DS100 knows 400 and 404, and no 409") {
    for (const auto operation : {Operation::enable_ds100, Operation::disable_ds100}) {
        refused(device_command(operation, bob, ada_device), 404);
        refused(device_command(operation, nobody, ada_device), 404);
        refused(device_command(operation, ada, unknown_device), 404);
        refused(device_command(operation, ada, std::string(100, '1')), 404);
        refused(device_command(operation, "x", ada_device), 400);
        refused(device_command(operation, ada, "x"), 400);
        refused(device_command(operation, ada, ""), 400);
        auto no_user = device_command(operation, ada, ada_device);
        no_user.fields.user_id.reset();
        refused(no_user, 400);
        auto no_device = device_command(operation, ada, ada_device);
        no_device.fields.device_serial.reset();
        refused(no_device, 400);
    }
}

TEST_CASE("rules: the rest of the life cycle") {
    auto rename = command(Operation::update_name, ada, ada_token);
    refused(rename, 400);
    rename.fields.updated_name = "kitchen";
    CHECK(member(run(rename, 200, true), "name") == "kitchen");
    rename.fields.updated_name = ada_token;
    (void)run(rename, 200, false);
    rename.fields.updated_name = std::string(256, 'x');
    refused(rename, 400);
    auto rename_free = command(Operation::update_name, ada, free_token);
    rename_free.fields.updated_name = "x";
    refused(rename_free, 409);

    CHECK(member(run(command(Operation::clear_pin, ada, ada_token), 200, false), "pinSet") == "false");
    refused(command(Operation::clear_pin, ada, free_token), 409);
    CHECK(std::get<TokenRemoved>(run(command(Operation::delete_token, "", ada_token), 200, true).change)
              .serial == ada_token);
    refused(command(Operation::delete_token, "", unknown_token), 404);

    auto gone = device_command(Operation::delete_ds100, ada, ada_device);
    refused(gone, 400);
    gone.fields.token_serial = "014010008031";
    (void)run(gone, 200, true);
    gone.fields.token_serial = "014010008032";
    refused(gone, 404);
    auto pin = device_command(Operation::clear_pin_ds100, ada, ada_device);
    pin.fields.token_serial = "014010008031";
    (void)run(pin, 200, false);
    pin.fields.user_id = bob;
    refused(pin, 404);
}

TEST_CASE("rules: deleting an assigned token frees its owner's place") {
    TenantState state(make_snapshot());
    CHECK(state.apply(command(Operation::delete_token, "", ada_token), now).reply.status == 200);
    CHECK(state.token(ada_token) == nullptr);
    CHECK(member(state.apply(command(Operation::list_devices, ada, ""), now), "tokenSerialNumber") ==
          enabled_token);
}

TEST_CASE("rules: lookups tell the whole and change nothing") {
    const auto free = run(command(Operation::lookup_token, "", free_token), 200, false);
    CHECK(member(free, "userId") == "null");
    CHECK(member(free, "tokenState") == "Unassigned");
    CHECK(member(free, "tokenStatus") == "Disabled");
    CHECK(member(free, "deviceType") == "SID700");
    CHECK(member(free, "expiryDate") == "2035-06-30T00:00:00.000Z");
    const auto held = run(command(Operation::lookup_token, "", enabled_token), 200, false);
    CHECK(member(held, "userId") == ada);
    CHECK(member(held, "tokenStatus") == "Enabled");
    refused(command(Operation::lookup_token, "", unknown_token), 404);
    refused(command(Operation::lookup_token, "", "x"), 404);

    const auto device = run(device_command(Operation::lookup_ds100, "", ada_device), 200, false);
    CHECK(member(device, "deviceType") == "SecurID DS100");
    CHECK(member(device, "userId") == ada);
    refused(device_command(Operation::lookup_ds100, "", unknown_device), 404);

    auto user = command(Operation::lookup_user, "", "");
    refused(user, 400);
    user.fields.email = "Ada.Lovelace.1@Example.com";
    const auto found = run(user, 200, false);
    CHECK(member(found, "id") == ada);
    CHECK(member(found, "firstName") == "Ada");
    CHECK(member(found, "lastName") == "Lovelace");
    CHECK(member(found, "userStatus") == "Enabled");
    user.fields.email = "nobody@example.com";
    refused(user, 404);

    (void)run(command(Operation::list_devices, ada, ""), 200, false);
    refused(command(Operation::list_devices, nobody, ""), 404);
    refused(command(Operation::list_devices, "x", ""), 400);
}
