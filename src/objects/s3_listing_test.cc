// Answers of S3 as servers write them, and such as no server should.
#include "objects/s3_listing.h"

#include <gtest/gtest.h>

namespace tarn::objects {
namespace {

TEST(S3Listing, AnswersOfServersAreRead) {
    auto page = parse_s3_page(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
        "<Prefix>p</Prefix><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>"
        "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b==</NextContinuationToken>"
        "<Contents><Key>p/1</Key><ETag>&quot;x&quot;</ETag><Size>10</Size></Contents>"
        "<Contents>\n<Size>0</Size><Key>p/2</Key></Contents></ListBucketResult>");
    ASSERT_TRUE(page.ok()) << page.error().text();
    ASSERT_EQ(page->objects.size(), 2u);
    EXPECT_EQ(page->objects[0].name, "p/1");
    EXPECT_EQ(page->objects[0].bytes, 10u);
    EXPECT_EQ(page->objects[1].name, "p/2");
    EXPECT_EQ(page->next, "a&b==");
    auto empty =
        parse_s3_page("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    ASSERT_TRUE(empty.ok());
    EXPECT_TRUE(empty->objects.empty());
    EXPECT_EQ(xml_text("<Error><Code>NoSuchKey</Code></Error>", "Code"), "NoSuchKey");
    EXPECT_EQ(xml_text("<Error><Codes>x</Codes></Error>", "Code"), "");
}

// Q2
TEST(S3Listing, DamagedAnswersAreRefused) {
    for (const char* xml :
         {"", "<", "<html>hello</html>", "<ListBucketResult>", "<ListBucketResult",
          "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
          "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
          "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
          "<ListBucketResult><Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>"
          "</ListBucketResult>",
          "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"})
        EXPECT_FALSE(parse_s3_page(xml).ok()) << xml;
}

TEST(S3Listing, ACutAnswerIsNoShorterList) {
    std::string xml =
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>"
        "<Contents><Key>b</Key><Size>2</Size></Contents></ListBucketResult>";
    for (size_t size = 0; size < xml.size(); ++size)
        EXPECT_FALSE(parse_s3_page(xml.substr(0, size)).ok()) << size;
}

}  // namespace
}  // namespace tarn::objects
