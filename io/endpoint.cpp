// Where to connect, from URLs that people write: the key file's, --base-url, --proxy and the environment.
// NO_PROXY is read as curl reads it, since that is what administrators test their proxy with: a comma or
// space separated list of host names (which also mean everything below them), addresses, networks
// (10.0.0.0/8), each with an optional port; a leading dot changes nothing; `*` alone means every host.
#include "io/credentials.hpp"
#include "io/jwt.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/url/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace muster {
namespace {

namespace urls = boost::urls;

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

bool valid_port(std::string_view port) {
    unsigned value = 0;
    const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), value);
    return failed == std::errc{} && end == port.data() + port.size() && value >= 1 && value <= 65'535;
}

/// Host and port of a URL; false where either is missing, odd, or percent-encoded.
bool take_authority(const urls::url_view& url, std::string_view default_port, std::string& host,
                    std::string& port) {
    const std::string_view encoded(url.encoded_host_address().data(), url.encoded_host_address().size());
    host = lower(encoded);
    port = url.port().empty() ? std::string(default_port) : std::string(url.port().data(), url.port().size());
    return !host.empty() && host.find('%') == std::string::npos && valid_port(port);
}

std::string base_of(std::string_view path) {
    const auto drop_slashes = [&path] {
        while (path.ends_with('/')) path.remove_suffix(1);
    };
    drop_slashes();
    if (path.ends_with("/v1") || path.ends_with("/v2")) path.remove_suffix(3);
    drop_slashes();
    return std::string(path);
}

boost::system::result<endpoint> parse_service(std::string_view text) {
    const auto parsed = urls::parse_uri({text.data(), text.size()});
    if (!parsed) return parsed.error();
    endpoint out;
    if (parsed->scheme_id() != urls::scheme::https || parsed->has_userinfo() || parsed->has_query() ||
        parsed->has_fragment() || !take_authority(*parsed, "443", out.host, out.port))
        return make_error_code(errc::usage);
    out.base_path = base_of({parsed->encoded_path().data(), parsed->encoded_path().size()});
    return out;
}

/// The first of two variables that is set to something; curl prefers the lower-case names too.
std::pair<std::string, std::string> from_environment(const char* lower_name, const char* upper_name) {
    for (const char* name : {lower_name, upper_name})
        if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return {name, value};
    return {};
}

result<proxy_endpoint> parse_proxy(std::string text, const std::string& source) {
    const error wrong(errc::usage,
                      fmt::format("{} is not a proxy address: it must look like http://proxy.example:3128 or "
                                  "http://user:password@proxy.example:3128",
                                  source));
    if (text.find("://") == std::string::npos) text.insert(0, "http://");
    const auto parsed = urls::parse_uri(text);
    proxy_endpoint out;
    if (!parsed || parsed->scheme_id() != urls::scheme::http || parsed->has_query() ||
        parsed->has_fragment() || !(parsed->encoded_path().empty() || parsed->encoded_path() == "/") ||
        !take_authority(*parsed, "80", out.host, out.port))
        return wrong;
    if (parsed->has_userinfo())
        out.authorization = "Basic " + base64(parsed->user() + ":" + parsed->password());
    return out;
}

/// Splits "host:port", "[v6]:port", "v6" and "host"; the port is empty where there is none.
std::pair<std::string_view, std::string_view> split_port(std::string_view entry) {
    if (entry.starts_with('[')) {
        const auto end = entry.find(']');
        if (end == std::string_view::npos) return {entry, {}};
        const std::string_view rest = entry.substr(end + 1);
        return {entry.substr(1, end - 1), rest.starts_with(':') ? rest.substr(1) : std::string_view()};
    }
    const auto colon = entry.find(':');
    if (colon == std::string_view::npos || colon != entry.rfind(':')) return {entry, {}};
    return {entry.substr(0, colon), entry.substr(colon + 1)};
}

bool in_network(const boost::asio::ip::address& address, std::string_view entry) {
    namespace ip = boost::asio::ip;
    boost::system::error_code failed;
    if (address.is_v4()) {
        const ip::network_v4 network = ip::make_network_v4(std::string(entry), failed);
        if (failed) return false;
        const auto mask = network.netmask().to_uint();
        return (address.to_v4().to_uint() & mask) == (network.address().to_uint() & mask);
    }
    const ip::network_v6 network = ip::make_network_v6(std::string(entry), failed);
    return !failed &&
           ip::network_v6(address.to_v6(), network.prefix_length()).canonical() == network.canonical();
}

bool names_host(std::string_view entry, const endpoint& server) {
    const auto [name, port] = split_port(entry);
    if (!port.empty() && port != server.port) return false;
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(server.host, failed);
    if (!failed) {
        if (name.find('/') != std::string_view::npos) return in_network(address, name);
        const auto named = boost::asio::ip::make_address(std::string(name), failed);
        return !failed && named == address;
    }
    std::string wanted = lower(name);
    wanted.erase(0, wanted.find_first_not_of('.'));
    const std::string host = lower(server.host);
    return !wanted.empty() && (host == wanted || host.ends_with("." + wanted));
}

bool without_proxy(std::string_view list, const endpoint& server) {
    if (list == "*") return true;
    while (!list.empty()) {
        const auto end = std::min(list.find_first_of(", \t"), list.size());
        if (end > 0 && names_host(list.substr(0, end), server)) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

}  // namespace

result<endpoint> service_endpoint(const credentials& from, const std::string& base_url) {
    const auto own = parse_service(from.api_url);
    if (!own)
        return error(errc::usage, fmt::format("adminRestApiUrl in {} is not an https:// address", from.path));
    if (base_url.empty()) return *own;
    auto given = parse_service(base_url);
    if (!given)
        return error(errc::usage,
                     "--base-url is not an https:// address; it must look like https://host:8443 or "
                     "https://host/AdminInterface/restapi");
    if (given->base_path.empty()) given->base_path = own->base_path;
    return *given;
}

result<std::optional<proxy_endpoint>> find_proxy(const std::string& proxy_url, const endpoint& server) {
    std::string source = "--proxy";
    std::string text = proxy_url;
    if (text.empty()) {
        std::tie(source, text) = from_environment("https_proxy", "HTTPS_PROXY");
        const std::string exceptions = from_environment("no_proxy", "NO_PROXY").second;
        if (text.empty() || without_proxy(exceptions, server)) return std::optional<proxy_endpoint>();
    }
    result<proxy_endpoint> proxy = parse_proxy(std::move(text), source);
    if (!proxy) return proxy.error();
    return std::optional<proxy_endpoint>(std::move(*proxy));
}

}  // namespace muster
