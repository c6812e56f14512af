#include "objects/s3_listing.h"

#include <array>
#include <optional>
#include <utility>

#include "base/number.h"

namespace tarn::objects {

namespace {

// The inside of the next element of that name from `at` on, which moves behind it.
std::optional<std::string_view> next_element(std::string_view xml, std::string_view name,
                                             size_t& at) {
    std::string open = fmt::format("<{}", name), close = fmt::format("</{}>", name);
    for (size_t begin = xml.find(open, at); begin != xml.npos; begin = xml.find(open, begin + 1)) {
        size_t inside = begin + open.size();
        if (inside >= xml.size() || (xml[inside] != '>' && xml[inside] != ' ')) continue;
        inside = xml.find('>', inside);
        size_t end = inside == xml.npos ? inside : xml.find(close, inside);
        if (end == xml.npos) return std::nullopt;
        at = end + close.size();
        return xml.substr(inside + 1, end - inside - 1);
    }
    return std::nullopt;
}

std::string plain(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, char>, 5> kEntities{
        {{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}}};
    std::string out;
    for (size_t at = 0; at < text.size();) {
        size_t taken = 1;
        char c = text[at];
        for (const auto& [entity, meaning] : kEntities)
            if (c == '&' && text.substr(at).starts_with(entity)) {
                c = meaning;
                taken = entity.size();
                break;
            }
        out += c;
        at += taken;
    }
    return out;
}

}  // namespace

std::string xml_text(std::string_view xml, std::string_view element) {
    size_t at = 0;
    auto found = next_element(xml, element, at);
    return found ? plain(*found) : "";
}

Result<S3Page> parse_s3_page(std::string_view xml) {
    size_t at = 0;
    auto result = next_element(xml, "ListBucketResult", at);
    if (!result)
        return error(Code::io_error, "the server's list of objects cannot be understood")
            .with_hint("is the endpoint (--endpoint-url) that of an S3 service?");
    S3Page page;
    at = 0;
    while (auto entry = next_element(*result, "Contents", at)) {
        ObjectInfo object{xml_text(*entry, "Key"), 0};
        auto size = parse_number<uint64_t>(xml_text(*entry, "Size"));
        if (object.name.empty() || !size)
            return error(Code::io_error, "the server lists an object without name or size");
        object.bytes = *size;
        page.objects.push_back(std::move(object));
    }
    if (xml_text(*result, "IsTruncated") != "true") return page;
    page.next = xml_text(*result, "NextContinuationToken");
    if (page.next.empty())
        return error(Code::io_error, "the server's list ends early and does not say how to go on");
    return page;
}

}  // namespace tarn::objects
