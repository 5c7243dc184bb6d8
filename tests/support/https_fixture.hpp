// A client, a server that it trusts, and the loop that runs the client: what every test of https_client
// needs.
#pragma once

#include "io/https_client.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/scratch_directory.hpp"
#include "tests/support/tls_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace muster::test {

/// Runs the loop until the coroutine is done; the client's own timers may outlive it.
template <typename T>
T run(boost::asio::io_context& io, boost::asio::awaitable<T> work) {
    std::optional<T> out;
    std::exception_ptr thrown;
    bool done = false;
    const auto keep = [&]() -> boost::asio::awaitable<void> { out.emplace(co_await std::move(work)); };
    boost::asio::co_spawn(io, keep, [&](std::exception_ptr failed) {
        thrown = failed;
        done = true;
    });
    io.restart();
    while (!done) io.run_one();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*out);
}

/// The CA that the clients of these tests trust, and a good certificate from it. Made once.
inline const identity& trusted_authority() {
    static const identity made = make_authority("Muster Test CA");
    return made;
}
inline const identity& good_certificate() {
    static const identity made = make_certificate({}, &trusted_authority());
    return made;
}

/// One client against a port of this machine.
class client_bench {
  public:
    explicit client_bench(const std::string& port, const std::string& host = "localhost") {
        settings.server = {host, port, "/api"};
        settings.ca_file = files_.write("ca.pem", to_pem(*trusted_authority().certificate));
        settings.connect_timeout = std::chrono::seconds(5);
        settings.request_timeout = std::chrono::seconds(5);
    }

    /// After this `settings` no longer count.
    https_client& client() {
        if (!client_) {
            auto context = https_context::create(settings);
            REQUIRE_MESSAGE(context.has_value(), (context.has_error() ? context.error().message : ""));
            context_ = *context;
            client_.emplace(io.get_executor(), context_);
        }
        return *client_;
    }

    result<void> connect() { return run(io, client().connect()); }

    /// What became of an exchange, with the reply itself: the client keeps its own only until the next.
    using kept_result = boost::system::result<http_reply, transport_failure>;

    /// Connects when needed, as the pipeline does, and sends `request`.
    kept_result exchange() {
        if (!client().usable()) {
            const result<void> connected = connect();
            REQUIRE_MESSAGE(connected.has_value(), (connected.has_error() ? connected.error().message : ""));
        }
        const exchange_result got = run(io, client().exchange(request, bearer));
        if (got) return got->get();
        return got.error();
    }

    boost::asio::io_context io{1};
    https_settings settings;
    http_request request{"PATCH", "/v1/users/u/sidTokens/enable", R"({"tokenSerialNumber":"000123456789"})"};
    std::string bearer = "a.b.c";

  private:
    scratch_directory files_;
    std::shared_ptr<https_context> context_;
    std::optional<https_client> client_;
};

/// Answers everything with `reply`, as long as the client asks.
inline auto always(std::string reply) {
    return [reply = std::move(reply)](tls_peer& peer) {
        while (!peer.request().empty())
            if (!peer.send(reply)) break;
    };
}

template <typename Result>
transport_failure failure_of(const Result& got) {
    REQUIRE(got.has_error());
    return got.error();
}

inline bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace muster::test
