// The phases of connecting: name, TCP, proxy, TLS. One deadline spans them all. The addresses of a name are
// tried in turn, each with an even share of the time that is left, so that a first address that swallows
// packets (an IPv6 route that leads nowhere, mostly) does not use up the time of a second one that works.
#include "io/https_connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <charconv>
#include <utility>

namespace muster {
namespace {

namespace net = boost::asio;
using boost::system::error_code;

constexpr std::size_t most_addresses = 8;

std::string_view proxy_advice(unsigned status) {
    return status == 407 ? "check the user and password of --proxy" : "check the proxy and what it allows";
}

/// What the usual TLS failures mean for the person who set the address.
std::string_view tls_advice(std::string_view problem) {
    if (problem.find("wrong version number") != problem.npos || problem.find("packet length") != problem.npos)
        return "; is there a TLS server at this address?";
    if (problem.find("protocol") != problem.npos) return "; TLS 1.2 or newer is needed";
    return "";
}

}  // namespace

/// The system's resolver cannot be interrupted: a look-up that takes too long is left behind, alive on its
/// own.
struct https_connection::lookup {
    explicit lookup(const net::any_io_executor& executor) : resolver(executor), done(executor) {}

    tcp::resolver resolver;
    net::steady_timer done;  ///< cancelled when there is a result
    error_code failure = net::error::timed_out;
    addresses found;
};

std::string https_connection::server() const {
    return tls_context::authority(context_->settings().server.host, context_->settings().server.port);
}

error https_connection::failure(std::string_view what, std::string_view why) const {
    if (!deadline_.expired()) return {errc::unreachable, fmt::format("{}: {}", what, why)};
    const std::chrono::duration<double> limit = context_->settings().connect_timeout;
    return {errc::unreachable, fmt::format("{}: no answer within {:g} s", what, limit.count())};
}

net::awaitable<result<https_connection::addresses>> https_connection::look_up(std::string host,
                                                                              std::string port,
                                                                              std::string where) {
    error_code not_an_address;
    const auto address = net::ip::make_address(host, not_an_address);
    std::uint16_t number = 0;
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
    if (!not_an_address && parsed.ec == std::errc{}) co_return addresses{tcp::endpoint(address, number)};

    const auto asked = std::make_shared<lookup>(executor_);
    lookup_ = asked;
    asked->done.expires_at(net::steady_timer::time_point::max());
    asked->resolver.async_resolve(
        host, port, tcp::resolver::numeric_service,
        [asked](const error_code& failed, const tcp::resolver::results_type& results) {
            asked->failure = failed;
            for (const auto& entry : results)
                if (asked->found.size() < most_addresses) asked->found.push_back(entry.endpoint());
            asked->done.cancel();
        });
    error_code ignored;
    co_await asked->done.async_wait(net::redirect_error(net::use_awaitable, ignored));
    if (asked->failure || asked->found.empty())
        co_return failure(fmt::format("the name of {} cannot be looked up", where), words(asked->failure));
    co_return std::move(asked->found);
}

net::awaitable<result<void>> https_connection::dial(unsigned life, std::string host, std::string port,
                                                    std::string where) {
    const result<addresses> found = co_await look_up(host, port, where);
    if (!found) co_return found.error();
    std::string why;
    for (std::size_t tried = 0; tried < found->size() && life == life_; ++tried) {
        const auto now = deadline::clock::now();
        if (tried > 0 && now >= due_) break;
        deadline_.set(now + (due_ - now) / static_cast<int>(found->size() - tried));
        error_code failed;
        const tcp::endpoint& address = (*found)[tried];
        co_await stream_.socket().async_connect(address, net::redirect_error(net::use_awaitable, failed));
        if (life != life_) break;
        if (!failed) {
            stream_.socket().set_option(tcp::no_delay(true), failed);
            deadline_.set(due_);
            co_return result<void>();
        }
        why = deadline_.expired() ? "no answer" : words(failed);
        stream_.socket().close(failed);
    }
    if (found->size() > 1) why += fmt::format(" ({} addresses tried)", found->size());
    co_return failure(fmt::format("cannot connect to {}", where), why);
}

net::awaitable<result<void>> https_connection::tunnel(unsigned life) {
    const proxy_endpoint& proxy = *context_->settings().proxy;
    const std::string what = fmt::format("the proxy {} gave no connection to {}",
                                         tls_context::authority(proxy.host, proxy.port), server());
    std::string request =
        fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nUser-Agent: muster\r\n", server());
    if (!proxy.authorization.empty()) request += "Proxy-Authorization: " + proxy.authorization + "\r\n";
    request += "\r\n";
    error_code failed;
    const net::const_buffer bytes(request.data(), request.size());
    co_await net::async_write(stream_.socket(), bytes, net::redirect_error(net::use_awaitable, failed));
    OPENSSL_cleanse(request.data(), request.size());
    if (failed || life != life_) co_return failure(what, words(failed));

    parser_.start(true);
    reply_parser::state state = reply_parser::state::more;
    while (state == reply_parser::state::more) {
        const std::span<char> space = parser_.prepare();
        const net::mutable_buffer room(space.data(), space.size());
        const std::size_t got =
            co_await stream_.socket().async_receive(room, net::redirect_error(net::use_awaitable, failed));
        if (failed || life != life_) co_return failure(what, words(failed));
        state = parser_.commit(got);
    }
    if (state == reply_parser::state::broken) co_return failure(what, "its answer is not valid HTTP");
    const unsigned status = parser_.reply().status;
    if (status < 200 || status > 299)
        co_return failure(what, fmt::format("it answered {}; {}", status, proxy_advice(status)));
    if (parser_.has_more()) co_return failure(what, "it sent more than its answer");
    co_return result<void>();
}

error https_connection::handshake_failure() const {
    if (trust_.code != X509_V_OK)
        return {errc::untrusted_server, explain(trust_, context_->settings().server.host, server())};
    const std::string problem = stream_.problem();
    return failure(fmt::format("the TLS handshake with {} failed", server()),
                   fmt::format("{}{}", problem, tls_advice(problem)));
}

net::awaitable<result<void>> https_connection::secure(unsigned life) {
    trust_ = {};
    ssl_ptr ssl = context_->new_ssl(trust_);
    if (!ssl) co_return failure("the server cannot be verified", "its host name is not one");
    stream_.start(std::move(ssl));
    for (;;) {
        const tls_step step = stream_.handshake();
        if (step == tls_step::done) break;
        if (step == tls_step::ended || step == tls_step::failed) {
            context_->forget_session();
            co_return handshake_failure();
        }
        co_await stream_.wait(step);
        if (life != life_ || deadline_.expired()) co_return handshake_failure();
    }
    trust_.code = static_cast<int>(SSL_get_verify_result(stream_.ssl()));
    if (trust_.code != X509_V_OK) co_return handshake_failure();
    co_return result<void>();
}

net::awaitable<result<void>> https_connection::establish(unsigned life) {
    const https_settings& settings = context_->settings();
    std::string host = settings.proxy ? settings.proxy->host : settings.server.host;
    std::string port = settings.proxy ? settings.proxy->port : settings.server.port;
    std::string where = (settings.proxy ? "the proxy " : "") + tls_context::authority(host, port);
    result<void> done = co_await dial(life, std::move(host), std::move(port), std::move(where));
    if (done && settings.proxy && life == life_) done = co_await tunnel(life);
    if (done && life == life_) done = co_await secure(life);
    co_return done;
}

net::awaitable<result<void>> https_connection::connect(std::shared_ptr<https_connection> self) {
    https_connection& my = *self;
    my.drop(my.connected_ && !my.busy_);
    const unsigned life = my.life_;
    my.due_ = deadline::clock::now() + my.context_->settings().connect_timeout;
    my.deadline_.set(my.due_);
    result<void> done = co_await my.establish(life);
    if (life != my.life_)
        co_return error(errc::unreachable, fmt::format("the connection to {} was closed here", my.server()));
    my.deadline_.clear();
    if (done)
        my.connected_ = true;
    else
        my.drop(false);
    co_return done;
}

void https_connection::interrupt() {
    error_code ignored;
    stream_.socket().cancel(ignored);
    if (const std::shared_ptr<lookup> asked = lookup_.lock()) {
        asked->resolver.cancel();
        asked->done.cancel();
    }
}

}  // namespace muster
