// One exchange on an open connection. The request is written by us into one buffer and goes out in one TLS
// record; whatever could split a header is refused before a byte is sent. A failure says whether the request
// may have arrived, which is decided by one thing alone: the kernel took bytes since the exchange began.
//
// A reply counts only when it is complete by its own rules. A body without a length of its own ends with the
// connection; there a missing close_notify is a failure, because a cut body could not be told from a whole
// one.
#include "io/https_connection.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace muster {
namespace {

namespace net = boost::asio;

constexpr std::size_t usual_request_size = 4096;
constexpr std::size_t usual_line_size = 256;

/// Only bytes that may stand in a request line or a bearer token: visible ASCII. Written so that it
/// vectorises.
bool all_visible(std::string_view text) {
    unsigned char odd = 0;
    for (const char c : text)
        odd = static_cast<unsigned char>(odd | (static_cast<unsigned char>(c - 0x21) > 0x7e - 0x21 ? 1 : 0));
    return odd == 0;
}

transport_failure not_sent(std::string message) {
    return {false, false, std::move(message)};
}

std::string seconds(std::chrono::milliseconds time) {
    return fmt::format("{:g} s", std::chrono::duration<double>(time).count());
}

}  // namespace

https_connection::https_connection(const net::any_io_executor& executor, std::shared_ptr<tls_context> context)
    : executor_(executor),
      context_(std::move(context)),
      stream_(executor),
      deadline_(executor, [this] { interrupt(); }) {
    request_.reserve(usual_request_size);
}

https_connection::~https_connection() {
    drop(connected_ && !busy_);
    OPENSSL_cleanse(request_.data(), request_.capacity());
}

void https_connection::make_room(std::size_t size) {
    if (size <= request_.capacity()) return;
    std::string larger;
    larger.reserve(2 * size);
    larger = request_;
    OPENSSL_cleanse(request_.data(), request_.size());
    request_.swap(larger);
}

// Only what changes is written anew: the request line right before the headers that stay the same, and what
// depends on the body behind them.
std::optional<transport_failure> https_connection::write_request(const http_request& request,
                                                                 std::string_view bearer) {
    if (request.method.empty() || !all_visible(request.method))
        return not_sent("the request was not sent: its method holds a character that must not be there");
    const std::string& base_path = context_->settings().server.base_path;
    if (!request.target.starts_with('/') || !all_visible(request.target))
        return not_sent("the request was not sent: its target holds a character that must not be there");
    const std::size_t line = request.method.size() + 1 + base_path.size() + request.target.size();
    if (line > line_end_ || bearer != std::string_view(request_).substr(bearer_begin_, bearer_size_)) {
        if (bearer.empty() || !all_visible(bearer))
            return not_sent("the request was not sent: the bearer token is empty or holds a wrong character");
        line_end_ = std::max(usual_line_size, line);
        // Room for all that may follow: growing would leave the token in memory that is not wiped.
        make_room(line_end_ + context_->fixed_headers().size() + bearer.size() + usual_request_size);
        request_.assign(line_end_, ' ').append(context_->fixed_headers());
        bearer_begin_ = request_.size();
        bearer_size_ = bearer.size();
        request_.append(bearer).append("\r\n");
    }
    make_room(bearer_begin_ + bearer_size_ + request.body.size() + usual_line_size);
    request_begin_ = line_end_ - line;
    char* at = request_.data() + request_begin_;
    at += request.method.copy(at, request.method.size());
    *at++ = ' ';
    at += base_path.copy(at, base_path.size());
    request.target.copy(at, request.target.size());
    request_.resize(bearer_begin_ + bearer_size_ + 2);
    const bool may_have_body = request.method != "GET" && request.method != "DELETE";
    if (!request.body.empty()) request_.append("Content-Type: application/json\r\n");
    if (!request.body.empty() || may_have_body) {
        const fmt::format_int length(request.body.size());
        request_.append("Content-Length: ").append(length.data(), length.size()).append("\r\n");
    }
    request_.append("\r\n").append(request.body);
    return std::nullopt;
}

bool https_connection::advance() {
    if (phase_ == phase::sending) {
        step_ = stream_.write(std::string_view(request_).substr(request_begin_));
        if (step_ != tls_step::done) return false;
        phase_ = phase::receiving;
        // The reply cannot be there yet: trying to read it first would only be a wasted call.
        step_ = tls_step::want_read;
        if (stream_.quiet()) return false;
    }
    for (;;) {
        std::size_t got = 0;
        step_ = stream_.read(parser_.prepare(), got);
        if (step_ != tls_step::done && step_ != tls_step::ended) return false;
        parsed_ = step_ == tls_step::done ? parser_.commit(got) : parser_.finish();
        if (parsed_ == reply_parser::state::complete) return true;
        if (parsed_ == reply_parser::state::broken || step_ == tls_step::ended) return false;
    }
}

transport_failure https_connection::why_not(unsigned life) const {
    const std::string_view doing = phase_ == phase::sending ? "sending the request"
                                   : parser_.started()      ? "reading the reply"
                                                            : "waiting for the reply";
    transport_failure out;
    if (life != life_) {
        out.message = fmt::format("the connection was closed here while {}", doing);
    } else if (deadline_.expired()) {
        out.timed_out = true;
        out.message =
            fmt::format("gave up after {} while {}", seconds(context_->settings().request_timeout), doing);
    } else if (step_ == tls_step::ended) {
        out.message = fmt::format("the connection was closed by the service while {}", doing);
    } else if (parsed_ == reply_parser::state::broken) {
        out.message = fmt::format("the reply is not valid HTTP: {}", parser_.problem());
    } else {
        out.message = fmt::format("{} while {}", stream_.problem(), doing);
    }
    return out;
}

const http_reply& https_connection::finish_exchange() {
    busy_ = false;
    deadline_.clear();
    if (!parser_.keeps_alive() || !stream_.quiet()) drop(true);
    return parser_.reply();
}

net::awaitable<exchange_result> https_connection::exchange(std::shared_ptr<https_connection> self,
                                                           const http_request& request,
                                                           std::string_view bearer) {
    https_connection& my = *self;
    if (!my.connected_ || my.busy_)
        co_return not_sent(my.busy_ ? "another request is under way on this connection" : "not connected");
    if (std::optional<transport_failure> refused = my.write_request(request, bearer)) co_return *refused;
    const unsigned life = my.life_;
    const std::uint64_t sent_before = my.stream_.sent();
    my.busy_ = true;
    my.phase_ = phase::sending;
    my.parsed_ = reply_parser::state::more;
    my.parser_.start();
    my.deadline_.set(deadline::clock::now() + my.context_->settings().request_timeout);
    while (!my.advance()) {
        if (my.step_ != tls_step::want_read && my.step_ != tls_step::want_write) break;
        boost::system::error_code failed;
        std::size_t got = 0;
        // Not stream_.wait(): one coroutine less for each exchange.
        if (my.step_ == tls_step::want_read)
            got = co_await my.stream_.socket().async_receive(my.stream_.room(),
                                                             net::redirect_error(net::use_awaitable, failed));
        else
            co_await my.stream_.socket().async_wait(net::socket_base::wait_write,
                                                    net::redirect_error(net::use_awaitable, failed));
        if (life != my.life_ || my.deadline_.expired()) break;
        my.stream_.waited(my.step_, got, failed);
    }
    if (life == my.life_ && my.parsed_ == reply_parser::state::complete)
        co_return std::cref(my.finish_exchange());
    transport_failure failure = my.why_not(life);
    failure.maybe_received = my.stream_.sent() != sent_before;
    if (life == my.life_) my.drop(false);
    co_return failure;
}

bool https_connection::usable() {
    if (!open()) return false;
    if (stream_.idle()) return true;
    drop(false);
    return false;
}

void https_connection::close() {
    drop(connected_ && !busy_);
}

void https_connection::drop(bool politely) {
    ++life_;
    connected_ = false;
    busy_ = false;
    deadline_.stop();
    stream_.close(politely);
    interrupt();
}

}  // namespace muster
