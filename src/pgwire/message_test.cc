#include "pgwire/message.h"

#include <gtest/gtest.h>

#include "pgwire/error_response.h"

namespace tarn::pgwire {
namespace {

TEST(Message, TakesWholeMessagesAndWaitsForTheRest) {
    std::string stream = MessageWriter().begin('Q').text("select 1").end().begin('X').end().take();
    for (size_t cut = 0; cut < stream.size() - 5; ++cut) {
        std::string_view bytes = std::string_view(stream).substr(0, cut);
        Message message;
        Framing expected = cut < 14 ? Framing::incomplete : Framing::whole;
        EXPECT_EQ(next_message(bytes, 100, message), expected) << cut;
    }
    std::string_view bytes = stream;
    Message message;
    ASSERT_EQ(next_message(bytes, 100, message), Framing::whole);
    EXPECT_EQ(message.type, 'Q');
    EXPECT_EQ(message.body, std::string_view("select 1\0", 9));
    ASSERT_EQ(next_message(bytes, 100, message), Framing::whole);
    EXPECT_EQ(message.type, 'X');
    EXPECT_TRUE(message.body.empty() && bytes.empty());
}

TEST(Message, LengthsThatMakeNoSenseAreMalformed) {
    for (std::string_view head :
         {std::string_view("Q\0\0\0\0", 5), std::string_view("Q\0\0\0\3", 5),
          std::string_view("Q\xff\xff\xff\xff", 5), std::string_view("Q\0\0\0\x69", 5)}) {
        Message message;
        EXPECT_EQ(next_message(head, 100, message), Framing::malformed);
    }
}

TEST(Message, AReaderThatRanOutStaysFailed) {
    FieldReader reader(std::string_view("\0\0\0", 3));
    EXPECT_EQ(reader.be32(), 0u);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.byte(), '\0');
    EXPECT_EQ(reader.text(), "");
    EXPECT_FALSE(reader.ok());
}

TEST(Message, ATextEndsAtItsFirstNul) {
    std::string body = MessageWriter().text(std::string_view("a\0b", 3)).take();
    EXPECT_EQ(body, std::string("a\0", 2));
}

TEST(ErrorResponse, IsReadBackAsWritten) {
    std::string bytes =
        error_response({.sqlstate = "28P01", .message = "no", .detail = "because", .hint = "try"});
    std::string_view rest = bytes;
    Message message;
    ASSERT_EQ(next_message(rest, 1000, message), Framing::whole);
    EXPECT_EQ(message.type, 'E');
    ErrorFields fields = parse_error_fields(message.body).value();
    EXPECT_EQ(fields.severity, "FATAL");
    EXPECT_EQ(fields.sqlstate, "28P01");
    EXPECT_EQ(fields.message, "no");
    EXPECT_EQ(fields.detail, "because");
    EXPECT_EQ(fields.hint, "try");
}

TEST(ErrorResponse, TakesTheMarkedSqlstateElseThatOfTheCode) {
    Error plain = error(Code::unavailable, "asleep");
    EXPECT_EQ(sqlstate_of(plain), "57P03");
    Error odd = error(Code::unavailable, "asleep").with_reason("sqlstate:1");
    EXPECT_EQ(sqlstate_of(odd), "57P03");
    EXPECT_EQ(sqlstate_of(with_sqlstate(plain, "28P01")), "28P01");
}

TEST(ErrorResponse, ABodyCutShortIsMalformed) {
    for (std::string_view body : {std::string_view(""), std::string_view("S"),
                                  std::string_view("SFATAL"), std::string_view("SFATAL\0", 7)})
        EXPECT_EQ(parse_error_fields(body).error().code(), Code::malformed);
}

}  // namespace
}  // namespace tarn::pgwire
