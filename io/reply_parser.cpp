// Beast's basic_parser is used directly rather than through parser<string_body>: that one stores every header
// in a tree of its own, which would be the larger part of what a reply costs.
#include "io/reply_parser.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::beast::error_code;

constexpr std::uint32_t header_limit = 64 * 1024;
constexpr std::uint64_t body_limit = 1024 * 1024;
constexpr std::size_t read_size = 16 * 1024;  // one TLS record
constexpr std::size_t usual_headers = 6;
constexpr int most_interim_replies = 16;
constexpr std::size_t longest_remembered = 4096;
constexpr unsigned many_unlike = 16;
constexpr std::size_t shortest_chunk_end = std::string_view("0\r\n\r\n").size();

bool is_kept(http::field field, beast::string_view name) {
    switch (field) {
        case http::field::retry_after:
        case http::field::date:
        case http::field::location:
        case http::field::content_type:
        case http::field::connection:
        case http::field::www_authenticate: return true;
        case http::field::unknown: break;
        default: return false;
    }
    for (const beast::string_view prefix : {"ratelimit", "x-ratelimit", "x-rate-limit"})
        if (beast::iequals(name.substr(0, prefix.size()), prefix)) return true;
    return false;
}

class reply_reader final : public http::basic_parser<false> {
  public:
    reply_reader() {
        basic_parser::header_limit(muster::header_limit);
        basic_parser::body_limit(muster::body_limit);
        eager(true);
        reply.headers.reserve(usual_headers);
    }

    http_reply reply;
    int version = 0;

  private:
    void on_request_impl(http::verb, beast::string_view, beast::string_view, int, error_code&) override {}
    void on_response_impl(int status, beast::string_view, int http_version, error_code&) override {
        reply.status = static_cast<unsigned>(status);
        version = http_version;
    }
    void on_field_impl(http::field field, beast::string_view name, beast::string_view value,
                       error_code&) override {
        if (!is_kept(field, name)) return;
        auto& kept = reply.headers.emplace_back(std::string(name), std::string(value));
        for (char& c : kept.first)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
        if (length) reply.body.reserve(static_cast<std::size_t>(std::min(*length, muster::body_limit)));
    }
    std::size_t on_body_impl(beast::string_view bytes, error_code&) override {
        reply.body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, error_code&) override {
        reply.body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_finish_impl(error_code&) override {}
};

}  // namespace

struct reply_parser::impl {
    std::optional<reply_reader> reader;  ///< once something came that is not like the reply before
    beast::flat_buffer buffer{2 * header_limit};
    std::string problem;
    bool to_connect = false;
    int interim = 0;

    /// Of a reply of late that came in one piece and left the connection open. The next is likely to begin
    /// with the very same bytes, up to its body: then they mean the same.
    struct {
        std::string bytes;
        std::size_t body = 0;  ///< length of what follows
        http_reply reply;      ///< what it means; the body is the latest that followed it
    } head;
    bool alike = false;        ///< the reply of this exchange began so
    unsigned unlike = 0;       ///< replies of late that did not, less those that did
    unsigned passed_over = 0;  ///< that were not remembered

    void renew() {
        reader.reset();
        alike = false;
    }

    reply_reader& begun() {
        if (!reader) {
            reader.emplace();
            reader->skip(to_connect);
        }
        return *reader;
    }

    /// In a body in chunks, which takes at least so many bytes to end: Beast asserts that they are there when
    /// it comes back to the last chunk's line.
    bool is_too_short() const {
        return reader && reader->is_header_done() && reader->chunked() && buffer.size() < shortest_chunk_end;
    }

    state failed(const error_code& why) {
        problem = why.message();
        return state::broken;
    }

    [[nodiscard]] std::string_view received() const {
        return {static_cast<const char*>(buffer.data().data()), buffer.size()};
    }
    bool is_like_the_last();
    void remember(std::string_view whole);
    state parse();
};

bool reply_parser::impl::is_like_the_last() {
    const std::string_view bytes = received();
    if (reader || to_connect || interim > 0 || head.bytes.empty()) return false;
    if (bytes.size() < head.bytes.size() + head.body || !bytes.starts_with(head.bytes)) return false;
    head.reply.body = bytes.substr(head.bytes.size(), head.body);
    alike = true;
    buffer.consume(head.bytes.size() + head.body);
    if (unlike > 0) --unlike;
    return true;
}

// Where few are alike, as each has a number of its own or they come in turn, one of many is remembered.
void reply_parser::impl::remember(std::string_view whole) {
    unlike = std::min(unlike + 1, 2 * many_unlike);
    if (unlike > many_unlike && ++passed_over % many_unlike != 0) return;
    const http_reply& reply = reader->reply;
    const auto length = reader->content_length();
    const bool kept_open = reader->version >= 11 && reader->keep_alive();
    if (reply.status < 200 || !kept_open || to_connect || interim > 0 || reader->chunked() || !length ||
        *length != reply.body.size() || whole.size() - reply.body.size() > longest_remembered)
        return;
    head.bytes.clear();  // nothing is remembered, should memory run out midway
    head.reply.status = reply.status;
    head.reply.headers = reply.headers;
    head.body = reply.body.size();
    head.bytes.assign(whole, 0, whole.size() - reply.body.size());
}

reply_parser::state reply_parser::impl::parse() {
    if (is_like_the_last()) return state::complete;
    while (buffer.size() > 0 && !is_too_short()) {
        const bool first = !reader;
        error_code failure;
        const std::size_t used = begun().put(buffer.data(), failure);
        const unsigned status = reader->reply.status;
        const bool final = status < 100 || status == 101 || status >= 200;
        if (first && !failure && reader->is_done() && final) remember(received().substr(0, used));
        buffer.consume(used);
        if (failure == http::error::need_more) {
            // Beast bounds headers and bodies, but not what comes with a chunk's size.
            if (buffer.size() > header_limit) return failed(http::error::header_limit);
            return state::more;
        }
        if (failure) return failed(failure);
        if (!reader->is_done()) continue;
        if (final) return state::complete;
        if (++interim > most_interim_replies) return failed(http::error::bad_status);
        renew();
    }
    return state::more;
}

reply_parser::reply_parser() : impl_(std::make_unique<impl>()) {}
reply_parser::~reply_parser() = default;

void reply_parser::start(bool to_connect) {
    impl_->buffer.clear();
    impl_->problem.clear();
    impl_->to_connect = to_connect;
    impl_->interim = 0;
    impl_->renew();
}

std::span<char> reply_parser::prepare() {
    const auto room = impl_->buffer.prepare(read_size);
    return {static_cast<char*>(room.data()), room.size()};
}

reply_parser::state reply_parser::commit(std::size_t count) {
    impl_->buffer.commit(count);
    return impl_->parse();
}

reply_parser::state reply_parser::finish() {
    error_code failure;
    if (impl_->alike) return state::complete;
    if (!impl_->reader || !impl_->reader->got_some())
        return state::more;  // put_eof would take nothing at all for a reply
    impl_->reader->put_eof(failure);
    if (failure) return impl_->failed(failure);
    return impl_->reader->is_done() ? state::complete : state::more;
}

const http_reply& reply_parser::reply() const {
    return impl_->alike ? impl_->head.reply : impl_->reader->reply;
}

bool reply_parser::keeps_alive() const {
    if (has_more()) return false;
    return impl_->alike || (impl_->reader->version >= 11 && impl_->reader->reply.status != 101 &&
                            impl_->reader->keep_alive());
}

bool reply_parser::has_more() const {
    return impl_->buffer.size() > 0;
}

bool reply_parser::started() const {
    return impl_->alike || (impl_->reader && impl_->reader->got_some()) || impl_->buffer.size() > 0;
}

const std::string& reply_parser::problem() const {
    return impl_->problem;
}

}  // namespace muster
