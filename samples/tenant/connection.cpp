// The connection as a coroutine; the only file of the tenant that sees Beast over TLS.
//
// A connection is in one phase at a time, with one deadline that the server's sweep enforces: cheaper than a
// timer for every read. Beast's parser is fed from our own buffer (parser.put), so header, body and
// "100-continue" pass through one loop. What a request needs between its steps lives in the object and not in
// nested coroutines, whose frames would be allocated for every request. The commit of a change, not its
// decision, releases its reply.
#include "samples/tenant/connection.hpp"

#include "samples/tenant/http_text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <cstddef>
#include <memory_resource>
#include <optional>
#include <tuple>
#include <utility>

namespace tenant {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = net::ssl;
using boost::system::error_code;
constexpr net::as_tuple_t<net::use_awaitable_t<Executor>> as_result{};

constexpr std::uint32_t longest_header = 16 * 1024;
constexpr std::uint64_t longest_body = 64 * 1024;
constexpr std::size_t read_size = 8 * 1024;
constexpr std::size_t most_discarded = 1024 * 1024;
constexpr std::chrono::seconds closing_timeout{2};

Now clock_now() {
    return {std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
            std::chrono::duration_cast<nanoseconds>(Clock::now().time_since_epoch())};
}

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

/// The answer to something the parser does not take for a request.
Reply parser_refusal(error_code error) {
    if (error == http::error::header_limit) {
        return refusal(431, "HEADERS_TOO_LARGE", "The request's headers are too large.");
    }
    if (error == http::error::body_limit) {
        return refusal(413, "BODY_TOO_LARGE", "The request's body is larger than 64 KiB.");
    }
    return refusal(400, "BAD_REQUEST", "This is not an HTTP request: " + error.message() + ".");
}

class TlsConnection final : public Connection {
  public:
    TlsConnection(Shared& shared, Socket socket)
        : shared_(shared), stream_(std::move(socket), shared.tls), pause_(shared.context) {
        // Asio gives OpenSSL's buffers back after every record; allocating them anew costs more than keeping them.
        SSL_clear_mode(stream_.native_handle(), SSL_MODE_RELEASE_BUFFERS);
    }

    task<void> run() override;

    void enforce_deadline(Clock::time_point now) override {
        if (now >= deadline_) abort();
    }

    void stop() override {
        if (busy_) {
            pause_.cancel();
        } else {
            abort();
        }
    }

    void abort() override {
        error_code ignored;
        stream_.next_layer().close(ignored);
        pause_.cancel();
    }

  private:
    using Memory = std::pmr::polymorphic_allocator<char>;
    using Parser = http::request_parser<http::string_body, Memory>;
    enum class Received { request, refused, nothing };
    enum class Next { reply, reset };

    task<Received> receive();
    bool feed_parser(error_code& error);
    task<bool> say_continue();
    [[nodiscard]] Request request() const;
    bool admit();
    Next carry_out();
    void prepare(const Reply& reply);
    task<void> delay(nanoseconds span);
    task<void> linger();
    void reset();
    void allow(std::chrono::seconds span) { deadline_ = Clock::now() + span; }

    Shared& shared_;
    ssl::stream<Socket> stream_;
    Timer pause_;
    Clock::time_point deadline_ = Clock::time_point::max();
    beast::flat_buffer buffer_;
    std::array<std::byte, 4096> room_{};  ///< where the fields of an ordinary request fit
    std::pmr::monotonic_buffer_resource fields_{room_.data(), room_.size()};
    std::optional<Parser> parser_;  ///< the request in hand
    Admission admission_;           ///< its admission
    std::string out_;               ///< and its reply
    bool busy_ = false;             ///< a whole request was read and its reply is not sent yet
    bool keep_alive_ = false;       ///< whether the connection goes on after the reply
};

task<void> TlsConnection::run() {
    allow(shared_.options.handshake_timeout);
    const auto [no_handshake] = co_await stream_.async_handshake(ssl::stream_base::server, as_result);
    if (no_handshake) co_return;
    do {
        const auto received = co_await receive();
        if (received == Received::nothing) co_return;
        busy_ = true;
        if (received == Received::request && admit()) {
            if (admission_.fault.delay > nanoseconds{0}) co_await delay(admission_.fault.delay);
            const auto next = carry_out();
            // A reply that only reads may rest on changes not committed yet: it waits for them like all
            // others.
            if (!shared_.commits.settled()) {
                co_await shared_.commits.async_settled(net::use_awaitable_t<Executor>{});
            }
            if (next == Next::reset) {
                reset();
                co_return;
            }
        }
        allow(shared_.options.request_timeout);
        const auto [failed, sent] = co_await net::async_write(stream_, net::buffer(out_), as_result);
        admission_ = {};
        if (failed) co_return;
        if (received == Received::refused) {
            co_await linger();
            co_return;
        }
        busy_ = false;
    } while (keep_alive_ && !shared_.stopping);
    allow(closing_timeout);
    co_await stream_.async_shutdown(as_result);
}

/// Reads one request. A refusal has its reply prepared.
task<TlsConnection::Received> TlsConnection::receive() {
    parser_.reset();
    fields_.release();
    parser_.emplace(std::piecewise_construct, std::make_tuple(), std::make_tuple(Memory(&fields_)));
    parser_->header_limit(longest_header);
    parser_->body_limit(longest_body);
    parser_->eager(true);
    allow(shared_.options.idle_timeout);
    bool begun = false;
    bool continued = false;
    while (true) {
        if (buffer_.size() > 0) {
            if (!begun) allow(shared_.options.request_timeout);
            begun = true;
            error_code error;
            if (feed_parser(error)) co_return Received::request;
            if (error) {
                keep_alive_ = false;
                prepare(parser_refusal(error));
                co_return Received::refused;
            }
        }
        if (!continued && parser_->is_header_done() &&
            beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
            continued = true;
            if (!co_await say_continue()) co_return Received::nothing;
        }
        const auto space = buffer_.prepare(read_size);
        const auto [failed, count] = co_await stream_.async_read_some(space, as_result);
        if (failed) co_return Received::nothing;
        buffer_.commit(count);
    }
}

/// Gives the parser what was read; true when the request is whole.
bool TlsConnection::feed_parser(error_code& error) {
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (error == http::error::need_more) error = {};
    return !error && parser_->is_done();
}

task<bool> TlsConnection::say_continue() {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto [failed, sent] = co_await net::async_write(stream_, net::buffer(go_on), as_result);
    co_return !failed;
}

/// The request in hand; its views live until the next receive().
Request TlsConnection::request() const {
    const auto& message = parser_->get();
    return {.method = view(message.method_string()),
            .target = view(message.target()),
            .authorization = view(message[http::field::authorization]),
            .content_type = view(message[http::field::content_type]),
            .body = message.body()};
}

/// The service's first gate; false when it refused, and the reply is prepared.
bool TlsConnection::admit() {
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    if (message.version() >= 11 && message[http::field::host].empty()) {
        keep_alive_ = false;
        prepare(refusal(400, "BAD_REQUEST", "The request names no host."));
        return false;
    }
    admission_ = shared_.service.admit(request(), clock_now());
    if (!admission_.refused) return true;
    prepare(*admission_.refused);
    return false;
}

/// Lets an admitted request meet its fault, or its rule. Its change is then on the way to the database.
TlsConnection::Next TlsConnection::carry_out() {
    const auto& fault = admission_.fault;
    if (fault.kind == FaultKind::reset_before) return Next::reset;
    if (fault.kind == FaultKind::internal_error) {
        prepare(internal_error());
        return Next::reply;
    }
    if (fault.kind == FaultKind::garbage) {
        prepare(garbage(fault.variety));
        return Next::reply;
    }
    auto outcome = shared_.service.handle(request(), *admission_.admin, clock_now().wall);
    if (outcome.write) shared_.commits.submit(std::move(*outcome.write));
    prepare(outcome.reply);
    return fault.kind == FaultKind::reset_after ? Next::reset : Next::reply;
}

void TlsConnection::prepare(const Reply& reply) {
    keep_alive_ = keep_alive_ && !shared_.stopping;
    const bool head = parser_->is_header_done() && parser_->get().method() == http::verb::head;
    write_reply(out_, reply, admission_.headers, clock_now().wall, keep_alive_, head);
}

/// A fault's delay; the end of the server cuts it short.
task<void> TlsConnection::delay(nanoseconds span) {
    deadline_ = Clock::time_point::max();
    if (shared_.stopping) co_return;
    pause_.expires_after(span);
    co_await pause_.async_wait(as_result);
}

/// Reads what a refused sender still sends, for a while: closing on unread bytes would destroy the reply.
task<void> TlsConnection::linger() {
    allow(closing_timeout);
    std::size_t discarded = 0;
    while (discarded < most_discarded) {
        buffer_.clear();
        const auto space = buffer_.prepare(read_size);
        const auto [failed, count] = co_await stream_.async_read_some(space, as_result);
        if (failed) co_return;
        discarded += count;
    }
}

/// Drops the connection with a TCP reset, as a crashed host or a cut line would.
void TlsConnection::reset() {
    error_code ignored;
    stream_.next_layer().set_option(net::socket_base::linger(true, 0), ignored);
    stream_.next_layer().close(ignored);
}

}  // namespace

std::shared_ptr<Connection> make_connection(Shared& shared, Socket socket) {
    return std::make_shared<TlsConnection>(shared, std::move(socket));
}

}  // namespace tenant
