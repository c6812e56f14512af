// What is wrapped comes back; anything else is refused, whatever the bytes are.
#include "objects/envelope.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sys/randomness.h"

namespace tarn::objects {
namespace {

Key key_of(unsigned char byte) {
    Key key;
    key.fill(byte);
    return key;
}

std::vector<std::string> samples() {
    sys::SeededRandom random(1);
    std::string noise(70'000, '\0');
    random.fill(noise.data(), noise.size());
    return {"", "x", std::string(1 << 20, 'y'), noise};
}

TEST(Envelope, WhatIsWrappedComesBack) {
    for (const Envelope& envelope : {Envelope(), Envelope(key_of(7))})
        for (const std::string& contents : samples()) {
            auto object = envelope.wrap("a/b", contents);
            ASSERT_TRUE(object.ok());
            EXPECT_LT(object->size(), contents.size() + 100);
            auto back = envelope.unwrap("a/b", *object);
            ASSERT_TRUE(back.ok()) << back.error().text();
            EXPECT_TRUE(*back == contents);
        }
    EXPECT_LT(Envelope().wrap("a", std::string(1 << 20, 'y'))->size(), 1000u);
}

TEST(Envelope, NoDamagedByteIsBelieved) {
    for (const Envelope& envelope : {Envelope(), Envelope(key_of(7))})
        for (const std::string& contents : {std::string(3000, 'y'), std::string("noise")}) {
            auto object = *envelope.wrap("a", contents);
            for (size_t at = 0; at < object.size(); ++at) {
                std::string damaged = object;
                damaged[at] = static_cast<char>(damaged[at] ^ 1);
                EXPECT_FALSE(envelope.unwrap("a", damaged).ok()) << "byte " << at;
                EXPECT_FALSE(envelope.unwrap("a", object.substr(0, at)).ok()) << "cut at " << at;
            }
        }
}

TEST(Envelope, WithoutItsKeyAnObjectSaysNothing) {
    Envelope plain, one(key_of(1)), other(key_of(2));
    std::string secret = "the quick brown fox";
    auto object = *one.wrap("a", secret);
    EXPECT_EQ(object.find("quick"), object.npos);
    for (const Envelope* envelope : {&plain, &other}) {
        auto refused = envelope->unwrap("a", object);
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().code(), Code::bad_request);
        EXPECT_NE(refused.error().hint().find("--key-file"), std::string::npos);
    }
    EXPECT_FALSE(one.unwrap("b", object).ok()) << "it is not what was put under that name";
    EXPECT_FALSE(one.unwrap("a", *plain.wrap("a", secret)).ok())
        << "somebody may have put it there";
    EXPECT_NE(*one.name_of(secret), *other.name_of(secret));
    EXPECT_NE(*one.name_of(secret), *plain.name_of(secret));
    EXPECT_EQ(*one.name_of(secret), *one.name_of(secret));
    EXPECT_NE(*one.wrap("a", secret), object) << "each has a nonce of its own";
}

TEST(Envelope, TheNameOfContentsIsTheirHash) {
    EXPECT_EQ(*Envelope().name_of("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// The byte table of docs/formats/object.md.
TEST(Envelope, IsLaidOutAsItsPageSays) {
    std::ifstream page(std::string(TARN_SOURCE_DIRECTORY) + "/docs/formats/object.md");
    std::string line, rows;
    while (std::getline(page, line))
        if (line.size() > 2 && line[2] >= '0' && line[2] <= '9')
            rows += line.substr(0, line.find(" | ", line.find(" | ", 6) + 3)) + "\n";
    std::string expected;
#define ROW(field)                                                               \
    expected += fmt::format("| {} | {} | {}\n", offsetof(EnvelopeHeader, field), \
                            sizeof(EnvelopeHeader::field), #field)
    ROW(magic);
    ROW(version);
    ROW(crc);
    ROW(flags);
    ROW(reserved);
    ROW(plain_bytes);
#undef ROW
    EXPECT_EQ(rows, expected);
}

TEST(Envelope, AKeyFileHasSixtyFourDigits) {
    std::string path = testing::TempDir() + "tarn-key";
    auto read = [&](const std::string& text) {
        std::ofstream(path) << text;
        return read_key(path);
    };
    auto good = read(std::string(62, '0') + "1f\n");
    ASSERT_TRUE(good.ok()) << good.error().text();
    EXPECT_EQ(good->back(), 0x1f);
    for (const std::string& text :
         {std::string(), std::string(63, '0'), std::string(65, '0'), std::string(64, 'g'),
          std::string(32, '0') + "\n" + std::string(31, '0')})
        EXPECT_EQ(read(text).error().code(), Code::invalid_argument) << text;
    for (const std::string& none : {path + "-none", path + "-none/key"}) {
        EXPECT_EQ(read_key(none).error().code(), Code::not_found);
        EXPECT_NE(read_key(none).error().hint().find("openssl rand"), std::string::npos);
    }
    EXPECT_NE(read_key(testing::TempDir()).error().hint().find("--key-file"), std::string::npos);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace tarn::objects
