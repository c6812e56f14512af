#include "compute/control_protocol.h"

#include <gtest/gtest.h>

namespace tarn::compute {
namespace {

std::string without_newline(std::string line) {
    EXPECT_EQ(line.back(), '\n');
    line.pop_back();
    EXPECT_EQ(line.find('\n'), std::string::npos);
    return line;
}

TEST(ControlProtocol, AReportComesBackAsItWasSent) {
    PhaseReport report;
    report.phase = Phase::failed;
    report.code = Code::data_loss;
    report.reason = "two\nlines, \"quoted\", and a bad byte \xff";
    report.hint = "look";
    report.since = *parse_rfc3339("2026-08-01T10:00:00Z");
    report.postgres_pid = 77;
    auto line = decode_supervisor_line(without_newline(encode(report)));
    ASSERT_TRUE(line.ok()) << line.error().text();
    ASSERT_TRUE(line->report.has_value());
    EXPECT_EQ(line->report->phase, Phase::failed);
    EXPECT_EQ(line->report->code, Code::data_loss);
    EXPECT_EQ(line->report->reason.substr(0, 10), "two\nlines,");
    EXPECT_EQ(line->report->since, report.since);
    EXPECT_EQ(line->report->postgres_pid, 77);
}

TEST(ControlProtocol, RequestsAndRepliesComeBackAsTheyWereSent) {
    auto request = decode_request(without_newline(encode(Request{9, Order::restore_point})));
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request->id, 9);
    EXPECT_EQ(request->order, Order::restore_point);
    auto failed = error(Code::io_error, "it failed").with_hint("retry");
    auto line = decode_supervisor_line(without_newline(encode(Reply{9, failed})));
    ASSERT_TRUE(line.ok() && line->reply && line->reply->failure);
    EXPECT_EQ(line->reply->id, 9);
    EXPECT_EQ(line->reply->failure->code(), Code::io_error);
    EXPECT_EQ(line->reply->failure->hint(), "retry");
}

TEST(ControlProtocol, AnythingElseIsMalformedAndHarmless) {
    for (const char* text :
         {"", "{", "[]", "7", "null", R"({"do":"dance","id":1})", R"({"do":"stop"})",
          R"({"do":7,"id":1})", R"({"do":"stop","id":"x"})", "\xff\xfe"}) {
        EXPECT_FALSE(decode_request(text).ok()) << text;
        EXPECT_FALSE(decode_supervisor_line(text).ok()) << text;
    }
    EXPECT_FALSE(decode_supervisor_line(R"({"state":"asleep","reason":""})").ok());
}

}  // namespace
}  // namespace tarn::compute
