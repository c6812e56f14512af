// What `tarn verify` prints, from findings made by hand.
#include "main/verify_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tarn {
namespace {

using nlohmann::json;

Time at(const char* text) {
    return std::move(parse_rfc3339(text)).value();
}

// One whole lineage, and one with `damages`.
compute::StoreFindings findings_with(size_t damages) {
    compute::StoreFindings findings;
    findings.counts.pages = 1000;
    compute::LineageFindings whole;
    whole.lineage = 0xa0001;
    whole.restore_points = 5;
    compute::LineageFindings hurt = whole;
    hurt.lineage = 0xa0002;
    hurt.newest_whole = {Lsn{0x3000100}, at("2026-11-22T10:00:00Z"), {{0xa0002, 1}, 4}};
    for (size_t i = 0; i < damages; ++i) {
        compute::Damage damage;
        damage.what = fmt::format("block {} of base/5/16384", i);
        damage.file = "/srv/00000000.pages";
        damage.offset = i * 8192;
        damage.why = "page of slot 7 is not what was written";
        for (uint32_t number = 1; number <= 6; ++number)
            damage.points.push_back({{0xa0002, 1}, number});
        damage.moments.push_back({Lsn{0x1000000}, at("2026-11-22T09:00:00Z"), false, Lsn{0x2000000},
                                  at("2026-11-22T09:30:00Z")});
        damage.moments.push_back({Lsn{0x4000000}, std::nullopt, true, {}, {}});
        hurt.damages.push_back(damage);
    }
    hurt.damage_count = damages;
    findings.lineages = {whole, hurt};
    return findings;
}

TEST(VerifyReport, EachDamageIsOneLine) {
    std::string text = text_report(findings_with(1), {}, 1.5);
    EXPECT_EQ(text,
              "damage: lineage 00000000000a0002: block 0 of base/5/16384: page of slot 7 is not "
              "what was written (/srv/00000000.pages at byte 0); restore points: "
              "00000000000a0002/1/1, 00000000000a0002/1/2, 00000000000a0002/1/3, "
              "00000000000a0002/1/4 and 2 more; moments: from 0/1000000 (2026-11-22T09:00:00Z) to "
              "before 0/2000000 (2026-11-22T09:30:00Z), after 0/4000000 to the newest\n"
              "lineage 00000000000a0002: damages: 1; its newest whole moment is 0/3000100 "
              "(2026-11-22T10:00:00Z)\n"
              "damaged: 2 lineages, 10 restore points, 0 indexes, 1000 pages (0 bytes read), 0 "
              "bytes of WAL, 0 orphans (0 bytes), 1 damages, 1.5 s\n");
}

TEST(VerifyReport, ManyAreCountedAndTheFirstShown) {
    auto findings = findings_with(150);
    findings.lineages[1].damage_count = 2000;
    std::string text = text_report(findings, {}, 0);
    EXPECT_NE(text.find("block 99 of"), text.npos);
    EXPECT_EQ(text.find("block 100 of"), text.npos);
    EXPECT_NE(text.find("damages: 2000, of which the first 100 are shown"), text.npos);
    json lineage = json::parse(json_report(findings, {}, 0))["lineages"][1];
    EXPECT_EQ(lineage["damages"].size(), 100u);
    EXPECT_EQ(lineage["damage_count"], 2000);
}

TEST(VerifyReport, JsonSaysTheSame) {
    auto findings = findings_with(1);
    findings.orphans.push_back({"/srv/\xff", "nothing names it", 12});
    json report = json::parse(json_report(findings, {}, 1.5));
    EXPECT_EQ(report["verdict"], "damaged");
    EXPECT_EQ(report["orphans"][0]["bytes"], 12);
    json damage = report["lineages"][1]["damages"][0];
    EXPECT_EQ(damage["restore_points"].size(), 6u);
    EXPECT_EQ(damage["moments"][0]["before"], "0/2000000");
    EXPECT_TRUE(damage["moments"][1]["after"]);
    EXPECT_EQ(report["lineages"][1]["newest_whole"]["lsn"], "0/3000100");
}

TEST(VerifyReport, ALineageIsNamedIfItsBranchIsKnown) {
    auto findings = findings_with(1);
    findings.unchecked.push_back({0xa0003, error(Code::permission_denied, "open x")});
    LineageNames names{{"00000000000a0002", "branch projects/p/branches/b"},
                       {"00000000000a0003", "snapshot projects/p/snapshots/s"}};
    std::string text = text_report(findings, names, 0);
    std::string whose = "branch projects/p/branches/b (lineage 00000000000a0002): ";
    EXPECT_TRUE(text.starts_with("damage: " + whose + "block 0 of")) << text;
    EXPECT_NE(text.find("\n" + whose + "damages: 1;"), text.npos) << text;
    EXPECT_NE(text.find("not checked: snapshot projects/p/snapshots/s (lineage"), text.npos);
    json report = json::parse(json_report(findings, names, 0));
    EXPECT_EQ(report["lineages"][1]["name"], "branch projects/p/branches/b");
    EXPECT_FALSE(report["lineages"][0].contains("name"));
}

TEST(VerifyReport, WhatWasNotCheckedIsNotWhole) {
    compute::StoreFindings findings;
    EXPECT_TRUE(text_report(findings, {}, 0).starts_with("whole: 0 lineages"));
    findings.unchecked.push_back({0xa0003, error(Code::permission_denied, "open x")});
    std::string text = text_report(findings, {}, 0);
    EXPECT_NE(text.find("not checked: lineage 00000000000a0003: open x\n"), text.npos);
    EXPECT_NE(text.find("\nnot all could be checked: "), text.npos);
    findings.unchecked = {{std::nullopt, error(Code::io_error, "list y")}};
    text = text_report(findings, {}, 0);
    EXPECT_TRUE(text.starts_with("not checked: what nothing names: list y\n")) << text;
    EXPECT_FALSE(json::parse(json_report(findings, {}, 0))["not_checked"][0].contains("lineage"));
}

}  // namespace
}  // namespace tarn
