// The journal header's JSON: written by hand, read with simdjson. Members that are unknown are ignored and
// those that are missing keep their defaults, so that settings may be added within a version.
#include "engine/journal/encoder.hpp"
#include "engine/json_text.hpp"

#include <fmt/format.h>
#include <simdjson.h>

namespace muster {
namespace {

namespace dom = simdjson::dom;

class object_writer {
  public:
    explicit object_writer(std::string& out) : out_(out) { out_ += '{'; }
    void text(std::string_view name, std::string_view value) {
        key(name);
        append_json_string(out_, value);
    }
    void number(std::string_view name, std::uint64_t value) {
        key(name);
        out_ += fmt::format("{}", value);
    }
    void number(std::string_view name, double value) {
        key(name);
        out_ += fmt::format("{}", value);
    }
    void flag(std::string_view name, bool value) {
        key(name);
        out_ += value ? "true" : "false";
    }
    void key(std::string_view name) {
        if (!first_) out_ += ',';
        first_ = false;
        append_json_string(out_, name);
        out_ += ':';
    }
    void close() { out_ += '}'; }

  private:
    std::string& out_;
    bool first_ = true;
};

void read(const dom::object& from, std::string_view name, std::string& to) {
    std::string_view value;
    if (from[name].get(value) == simdjson::SUCCESS) to = value;
}
void read(const dom::object& from, std::string_view name, std::uint64_t& to) {
    std::uint64_t value = 0;
    if (from[name].get(value) == simdjson::SUCCESS) to = value;
}
void read(const dom::object& from, std::string_view name, unsigned& to) {
    std::uint64_t value = 0;
    if (from[name].get(value) == simdjson::SUCCESS && value <= 1'000'000) to = static_cast<unsigned>(value);
}
void read(const dom::object& from, std::string_view name, std::chrono::milliseconds& to) {
    std::uint64_t value = 0;
    if (from[name].get(value) == simdjson::SUCCESS && value <= 1'000'000'000'000)
        to = std::chrono::milliseconds(value);
}
void read(const dom::object& from, std::string_view name, bool& to) {
    bool value = false;
    if (from[name].get(value) == simdjson::SUCCESS) to = value;
}

void write_settings(std::string& out, const run_settings& s) {
    object_writer w(out);
    w.text("credentials", s.credentials);
    w.text("baseUrl", s.base_url);
    w.text("caFile", s.ca_file);
    w.text("proxy", s.proxy);
    w.number("concurrency", std::uint64_t{s.concurrency});
    if (s.max_rate) w.number("maxRate", *s.max_rate);
    w.number("maxSharePercent", s.max_share);
    w.number("maxAttempts", std::uint64_t{s.max_attempts});
    w.text("stopAfterFailures", s.stop_after_failures);
    w.number("connectTimeoutMs", static_cast<std::uint64_t>(s.connect_timeout.count()));
    w.number("requestTimeoutMs", static_cast<std::uint64_t>(s.request_timeout.count()));
    w.number("outageTimeoutMs", static_cast<std::uint64_t>(s.outage_timeout.count()));
    w.flag("skipInvalid", s.skip_invalid);
    w.text("output", s.output);
    w.text("logFormat", s.log_format);
    w.flag("progress", s.progress);
    w.close();
}

void read_settings(const dom::object& from, run_settings& s) {
    read(from, "credentials", s.credentials);
    read(from, "baseUrl", s.base_url);
    read(from, "caFile", s.ca_file);
    read(from, "proxy", s.proxy);
    read(from, "concurrency", s.concurrency);
    double rate = 0;
    if (from["maxRate"].get(rate) == simdjson::SUCCESS && rate > 0) s.max_rate = rate;
    double share = 0;
    if (from["maxSharePercent"].get(share) == simdjson::SUCCESS && share > 0 && share <= 100) s.max_share = share;
    read(from, "maxAttempts", s.max_attempts);
    read(from, "stopAfterFailures", s.stop_after_failures);
    read(from, "connectTimeoutMs", s.connect_timeout);
    read(from, "requestTimeoutMs", s.request_timeout);
    read(from, "outageTimeoutMs", s.outage_timeout);
    read(from, "skipInvalid", s.skip_invalid);
    read(from, "output", s.output);
    read(from, "logFormat", s.log_format);
    read(from, "progress", s.progress);
}

void write_job(std::string& out, const journal_header& h) {
    object_writer w(out);
    w.text("path", h.job_path);
    w.text("name", h.job_name);
    w.text("format", h.job_format);
    w.number("size", h.job_size);
    w.text("sha256", h.job_sha256);
    w.number("rows", h.rows);
    w.key("columns");
    out += '[';
    for (std::size_t i = 0; i < h.columns.size(); ++i) {
        if (i > 0) out += ',';
        append_json_string(out, h.columns[i]);
    }
    out += ']';
    w.key("map");
    object_writer map(out);
    for (const auto& [name, column] : h.mapping.map) map.text(name, column);
    map.close();
    w.text("operation", h.mapping.operation);
    w.close();
}

bool read_job(const dom::object& from, journal_header& h) {
    read(from, "path", h.job_path);
    read(from, "name", h.job_name);
    read(from, "format", h.job_format);
    read(from, "size", h.job_size);
    read(from, "sha256", h.job_sha256);
    read(from, "operation", h.mapping.operation);
    dom::array columns;
    if (from["columns"].get(columns) == simdjson::SUCCESS)
        for (const dom::element e : columns) {
            std::string_view name;
            if (e.get(name) == simdjson::SUCCESS) h.columns.emplace_back(name);
        }
    dom::object map;
    if (from["map"].get(map) == simdjson::SUCCESS)
        for (const auto& [name, value] : map) {
            std::string_view column;
            if (value.get(column) == simdjson::SUCCESS) h.mapping.map.emplace(name, column);
        }
    return from["rows"].get(h.rows) == simdjson::SUCCESS && !h.job_path.empty() && h.job_sha256.size() == 64;
}

}  // namespace

std::string header_to_json(const journal_header& h) {
    std::string out;
    object_writer w(out);
    w.text("muster", h.version);
    w.text("createdAt", to_iso(h.created_at));
    w.key("job");
    write_job(out, h);
    w.key("settings");
    write_settings(out, h.settings);
    w.close();
    return out;
}

result<journal_header> header_from_json(std::string_view json) {
    const auto fail = [] { return error(errc::journal_damaged, "its header makes no sense"); };
    journal_header h;
    dom::parser parser;
    dom::object root, job, settings;
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) return fail();
    read(root, "muster", h.version);
    std::string created;
    read(root, "createdAt", created);
    const auto at = from_iso(created);
    if (!at || root["job"].get(job) != simdjson::SUCCESS || !read_job(job, h)) return fail();
    h.created_at = *at;
    if (root["settings"].get(settings) == simdjson::SUCCESS) read_settings(settings, h.settings);
    return h;
}

}  // namespace muster
