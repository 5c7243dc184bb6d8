// The status lines and headers the tenant sends.
#include "samples/tenant/http_text.hpp"

#include <fmt/format.h>

#include <chrono>

namespace tenant {
namespace {

std::string_view reason(int status) {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 409: return "Conflict";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        default: return "Unknown";
    }
}

/// The Date line, made once a second.
const std::string& date_line(Wall now) {
    thread_local std::chrono::sys_seconds made_for{};
    thread_local std::string line;
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (line.empty() || second != made_for) {
        line = "Date: " + http_date(now) + "\r\n";
        made_for = second;
    }
    return line;
}

}  // namespace

void write_reply(std::string& out, const Reply& reply, std::string_view headers, Wall now, bool keep_alive,
                 bool head) {
    out.clear();
    fmt::format_to(std::back_inserter(out),
                   "HTTP/1.1 {} {}\r\nServer: muster-tenant\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
                   "Cache-Control: no-store\r\nConnection: {}\r\n",
                   reply.status, reason(reply.status), reply.content_type, reply.body.size(),
                   keep_alive ? "keep-alive" : "close");
    out += date_line(now);
    out += reply.headers;
    out += headers;
    out += "\r\n";
    if (!head) out += reply.body;
}

}  // namespace tenant
