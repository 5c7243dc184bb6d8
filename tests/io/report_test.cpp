#include "io/csv_writer.hpp"
#include "io/report_format.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>

using namespace muster;

namespace {

struct sample {
    record from;
    row_outcome what;

    sample() {
        from.line = 4;
        from.names = {"operation", "userId", "tokenSerialNumber", "message", "count"};
        from.cells = {{"assign"}, {"u\"1"}, {"007"}, {"a,b\nc"}, {"12", true}};
        what.result = outcome::rejected;
        what.status = 409;
        what.attempts = 1;
        what.at = *from_iso("2026-11-22T08:00:00.000Z");
        what.message = "ASSIGNED: \x1b[31mno";
    }
    [[nodiscard]] std::string write(report_kind kind) const {
        const auto format = make_report_format(
            kind, {"operation", "userId", "tokenSerialNumber", "message", "count"}, *row_mapper::create({}));
        std::string out;
        format->begin(out);
        format->row(out, {.from = from, .what = what});
        return out;
    }
};

}  // namespace

TEST_CASE("report: CSV has the job's columns untouched, then ours, which step aside where a name is taken") {
    CHECK(sample().write(report_kind::csv) ==
          "operation,userId,tokenSerialNumber,message,count,line,outcome,httpStatus,attempts,time,state,"
          "changedAt,changedBy,"
          "credential,muster_message\n"
          "assign,\"u\"\"1\",007,\"a,b\nc\",12,4,rejected,409,1,2026-11-22T08:00:00.000Z,,,,,ASSIGNED: "
          "\x1b[31mno\n");
}

TEST_CASE("report: for a spreadsheet no cell is a formula, and CSV and job files stay as they were") {
    for (const std::string text :
         {"=HYPERLINK(\"http://x\")", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "|x", "%x", "\uFF1D1"}) {
        CAPTURE(text);
        sample s;
        s.from.cells[3].text = text;
        s.what.message = text;
        std::string quoted;
        append_csv_field(quoted, "'" + text);
        const auto written = s.write(report_kind::spreadsheet);
        CHECK(written.find("007," + quoted + ",12,4") != std::string::npos);
        CHECK(written.ends_with("," + quoted + "\n"));
        std::string as_it_is;
        append_csv_field(as_it_is, text);
        CHECK(s.write(report_kind::csv).find("007," + as_it_is + ",12,4") != std::string::npos);
        CHECK(s.write(report_kind::job_csv).find("007," + as_it_is + ",12\n") != std::string::npos);
    }
    sample harmless;
    harmless.from.cells[3].text = "a=b";
    CHECK(harmless.write(report_kind::spreadsheet).find("'") == std::string::npos);
}

TEST_CASE("report: JSONL is one object a row") {
    simdjson::dom::parser parser;
    const auto line = sample().write(report_kind::jsonl);
    const auto o = parser.parse(line);
    CHECK(std::string_view(o["userId"]) == "u\"1");
    CHECK(std::string_view(o["message"]) == "a,b\nc");
    CHECK(std::int64_t(o["count"]) == 12);
    CHECK(std::string_view(o["outcome"]) == "rejected");
    CHECK(std::int64_t(o["httpStatus"]) == 409);
    CHECK(std::string_view(o["muster_message"]) == "ASSIGNED: \x1b[31mno");
}

TEST_CASE("report: a job written again is the job's rows and nothing else") {
    CHECK(sample().write(report_kind::job_csv) ==
          "operation,userId,tokenSerialNumber,message,count\nassign,\"u\"\"1\",007,\"a,b\nc\",12\n");
    CHECK(sample().write(report_kind::job_jsonl) ==
          "{\"operation\":\"assign\",\"userId\":\"u\\\"1\",\"tokenSerialNumber\":\"007\",\"message\":\"a,"
          "b\\nc\",\"count\":12}\n");
}

TEST_CASE("report: text is safe for a terminal") {
    const auto text = sample().write(report_kind::text);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("rejected") != std::string::npos);
    CHECK(text.find("007") != std::string::npos);
}

TEST_CASE("report: text names what a row wants, and of one that is no row what can be read") {
    const auto line_of = [](const sample& s) {
        const auto text = s.write(report_kind::text);
        return text.substr(text.find('\n') + 1);
    };
    const std::string user = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d";
    sample s;
    s.from.names = {"operation", "userId", "tokenSerialNumber"};
    s.from.cells = {{"assign"}, {user}, {"000153421907"}};
    s.what.message.clear();
    s.what.details.state = "Enabled";
    CHECK(line_of(s) == "       4  rejected   assign        000153421907    " + user + "  Enabled\n");
    s.from.cells[0].text = "assing";
    CHECK(line_of(s) == "       4  rejected   ?             000153421907    " + user + "  Enabled\n");
}

TEST_CASE("report: records that lack columns, or have them in another order, keep their places") {
    sample s;
    s.from.names = {"count", "userId"};
    s.from.cells = {{"null", true}, {"x"}};
    CHECK(s.write(report_kind::job_csv) == "operation,userId,tokenSerialNumber,message,count\n,x,,,\n");
}
