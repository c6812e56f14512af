#include "api/mask.h"

#include <gtest/gtest.h>

#include "api/page.h"
#include "api/router.h"

namespace tarn::api {
namespace {

// What an endpoint's update may change; the body has a maximum, a time-out and settings.
MaskRules rules() {
    return {.leaves = {{"spec.min", false, "", false},
                       {"spec.max", true, "", false},
                       {"spec.timeout", true, "spec.suspension", false},
                       {"spec.never", false, "spec.suspension", false},
                       {"spec.settings.map", true, "", true},
                       {"spec.tags", false, "", true}},
            .ignored = {"initial_spec"},
            .immutable = {"spec.type"}};
}

std::string chosen(std::string_view mask, MaskRules with = rules()) {
    auto selected = select_leaves(mask, with);
    if (!selected.ok()) return selected.error().message();
    std::string text;
    for (std::string_view path : *selected) text.append(text.empty() ? "" : " ").append(path);
    return text;
}

TEST(Mask, ChoosesWhatItNames) {
    EXPECT_EQ(chosen("spec.max"), "spec.max");
    EXPECT_EQ(chosen("spec.max,spec.timeout"), "spec.max spec.timeout");
    EXPECT_EQ(chosen(" spec.max , spec.timeout"), "spec.max spec.timeout");
    EXPECT_EQ(chosen("spec.settings.map"), "spec.settings.map");
    EXPECT_EQ(chosen("spec.settings"), "spec.settings.map");
}

TEST(Mask, OneofIsNamedByGroupOrMember) {
    EXPECT_EQ(chosen("spec.suspension"), "spec.timeout");
    EXPECT_EQ(chosen("spec.timeout"), "spec.timeout");
    EXPECT_EQ(chosen("spec.never"),
              "Field 'spec.never' is in update_mask but not provided in request");
    MaskRules none = rules();
    none.leaves[2].given = false;
    EXPECT_EQ(chosen("spec.suspension", none),
              "Field 'spec.suspension' is in update_mask but not provided in request");
}

TEST(Mask, SpecTakesWhatTheBodyHas) {
    EXPECT_EQ(chosen("spec"), "spec.max spec.settings.map spec.timeout");
    MaskRules empty = rules();
    for (Leaf& leaf : empty.leaves) leaf.given = false;
    EXPECT_EQ(chosen("spec", empty), "");
}

TEST(Mask, StarDemandsEverySingleField) {
    EXPECT_EQ(chosen("*"), "Field 'spec.min' is in update_mask but not provided in request");
    MaskRules full = rules();
    full.leaves[0].given = true;
    EXPECT_EQ(chosen("*", full), "spec.max spec.min spec.settings.map spec.timeout");
}

TEST(Mask, MistakesAreNamed) {
    EXPECT_EQ(chosen("spec.min"), "Field 'spec.min' is in update_mask but not provided in request");
    EXPECT_EQ(chosen("nonsense"), "Unknown field path in update_mask: 'nonsense'");
    EXPECT_EQ(chosen("spec.nothing"), "Unknown field path in update_mask: 'spec.nothing'");
    EXPECT_EQ(chosen("spec.max.deeper"), "Unknown field path in update_mask: 'spec.max.deeper'");
    EXPECT_EQ(chosen("spec.settings.map['x']"),
              "Unknown field path in update_mask: 'spec.settings.map['x']'");
    EXPECT_EQ(chosen("spec.ma"), "Unknown field path in update_mask: 'spec.ma'");
    EXPECT_EQ(chosen("spec.max,"), "Unknown field path in update_mask: ''");
    EXPECT_EQ(chosen("spec.type"), "Field 'spec.type' cannot be updated");
    EXPECT_EQ(chosen(""),
              "Field 'update_mask' is required, expected non-default value (not \"\")!");
    EXPECT_EQ(chosen("spec.max,spec.nothing"), "Unknown field path in update_mask: 'spec.nothing'");
}

TEST(Mask, WhatHasNoMeaningLaterIsIgnored) {
    EXPECT_EQ(chosen("initial_spec,spec.max"), "spec.max");
    EXPECT_EQ(chosen("initial_spec"), "");
}

Result<PageRequest> page(const std::string& size, const std::string& token, size_t keys = 1) {
    Request request;
    request.query = {{"page_size", size}, {"page_token", token}};
    return page_request(request, keys);
}

TEST(Page, SizesAreWholeAndBounded) {
    EXPECT_EQ(page("", "")->size, kPageSizeMax);
    EXPECT_EQ(page("0", "")->size, kPageSizeMax);
    EXPECT_EQ(page("7", "")->size, 7u);
    EXPECT_EQ(page("100000", "")->size, kPageSizeMax);
    for (const char* size : {"-1", "x", "1.5", "1x", " 1", "99999999999999999999"})
        EXPECT_EQ(page(size, "").error().code(), Code::invalid_argument) << size;
}

TEST(Page, TokensComeBackAsTheyWere) {
    std::vector<std::string> keys = {"my-branch", "br-x"};
    EXPECT_EQ(page("", page_token(keys), 2)->after, keys);
    EXPECT_EQ(page("", page_token({""}))->after, std::vector<std::string>{""});
    EXPECT_EQ(page("", "", 2)->after, (std::vector<std::string>{"", ""}));
}

TEST(Page, ForeignTokensAreRefused) {
    for (std::string token :
         {std::string("nonsense"), std::string("00"), std::string("abc"), page_token({"a", "b"}),
          std::string("32") + page_token({"a"}).substr(2)})
        EXPECT_EQ(page("", token).error().code(), Code::invalid_argument) << token;
}

class RouterTest : public testing::Test {
  protected:
    RouterTest() {
        Handler nothing = [](const Request&) { return Result<Response>(Response{}); };
        router_.add("GET", "/api/projects", Access::bearer, nothing);
        router_.add("POST", "/api/projects", Access::bearer, nothing);
        router_.add("GET", "/api/projects/*", Access::bearer, nothing);
        router_.add("GET", "/api/projects/*/operations/*", Access::bearer, nothing);
    }
    std::string found(std::string_view method, std::string_view path) {
        auto result = router_.find(method, path);
        if (auto* match = std::get_if<Router::Match>(&result)) {
            std::string text = "match";
            for (const auto& capture : match->captures) text += " " + capture;
            return text;
        }
        if (auto* wrong = std::get_if<Router::WrongMethod>(&result)) return "not " + wrong->allowed;
        return "none";
    }
    Router router_;
};

TEST_F(RouterTest, FindsByMethodAndSegments) {
    EXPECT_EQ(found("GET", "/api/projects"), "match");
    EXPECT_EQ(found("GET", "/api/projects/p"), "match p");
    EXPECT_EQ(found("GET", "/api/projects/p/operations/o"), "match p o");
    EXPECT_EQ(found("PUT", "/api/projects"), "not GET, POST");
    EXPECT_EQ(found("DELETE", "/api/projects/p"), "not GET");
}

TEST_F(RouterTest, OtherPathsAreNone) {
    for (const char* path :
         {"", "/", "/api", "/api/projects/", "/api//projects", "/api/projects/p/",
          "/api/projects//operations/o", "/api/projects/p/nothing/o", "/API/projects"})
        EXPECT_EQ(found("GET", path), "none") << path;
}

}  // namespace
}  // namespace tarn::api
