#include "control/uids.h"

#include <fmt/format.h>

#include <iterator>

namespace tarn::control {

namespace {

constexpr std::string_view kAdjectives[] = {
    "amber",     "ancient", "autumn",   "bitter",  "bold",    "brave",     "bright",   "broad",
    "calm",      "clear",   "cold",     "cool",    "crimson", "damp",      "dark",     "dawn",
    "deep",      "dry",     "early",    "falling", "fancy",   "flat",      "fragrant", "fresh",
    "gentle",    "green",   "hidden",   "holy",    "icy",     "late",      "little",   "lively",
    "long",      "lucky",   "misty",    "morning", "muddy",   "nameless",  "old",      "orange",
    "patient",   "plain",   "polished", "proud",   "purple",  "quiet",     "rapid",    "rough",
    "round",     "royal",   "shiny",    "shy",     "silent",  "small",     "snowy",    "solitary",
    "sparkling", "spring",  "steep",    "still",   "summer",  "weathered", "wild",     "young"};

constexpr std::string_view kNouns[] = {
    "bird",  "block",   "bonus",   "boat",     "breeze",   "brook",  "bush",   "butterfly",
    "cake",  "cell",    "cherry",  "cloud",    "darkness", "dawn",   "dew",    "dream",
    "dust",  "feather", "field",   "fire",     "firefly",  "flower", "fog",    "forest",
    "frog",  "frost",   "glade",   "glitter",  "grass",    "hall",   "haze",   "heart",
    "hill",  "king",    "lab",     "lake",     "leaf",     "limit",  "math",   "meadow",
    "mode",  "moon",    "morning", "mountain", "night",    "paper",  "pine",   "poetry",
    "pond",  "rain",    "river",   "sea",      "shadow",   "sky",    "smoke",  "snow",
    "sound", "star",    "sun",     "sunset",   "surf",     "tree",   "violet", "wave"};

static_assert(std::size(kAdjectives) == 64 && std::size(kNouns) == 64, "six bits draw a word");

}  // namespace

std::string draw_hex(const Environment& environment, int bits) {
    std::string text;
    for (; bits > 0; bits -= 64) text += fmt::format("{:016x}", environment.random());
    return text;
}

std::string draw_lineage(const Environment& environment) {
    return draw_hex(environment, 64);
}

std::string draw_uuid(const Environment& environment) {
    uint64_t high = environment.random();
    uint64_t low = environment.random();
    high = (high & ~0xf000ull) | 0x4000;                          // version 4: random
    low = (low & 0x3fffffffffffffffull) | 0x8000000000000000ull;  // the variant of RFC 4122
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff,
                       high & 0xffff, low >> 48, low & 0xffffffffffffull);
}

std::string draw_uid(const Environment& environment, std::string_view prefix) {
    uint64_t words = environment.random();
    uint64_t tail = environment.random();
    std::string text =
        fmt::format("{}-{}-{}-", prefix, kAdjectives[words & 63], kNouns[(words >> 6) & 63]);
    constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (int i = 0; i < 8; ++i, tail /= kDigits.size()) text += kDigits[tail % kDigits.size()];
    return text;
}

}  // namespace tarn::control
