// test_log.h: an incarnation that a test writes to and seals.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "store/page_log.h"
#include "store/test_directory.h"

namespace tarn::store {

class TestLog {
  public:
    // The lineage is there. It begins from `base`, if that is not null.
    TestLog(Store& store, uint64_t lineage, const RestorePoint* base)
        : store_(store), id_(good(store.begin_incarnation(lineage))) {
        good(store.create_map(id_, base));
        good(store.finish_incarnation({id_, base ? base->id : RestorePointId{}, {}}));
        if (base) base_ = *base;
        mapped_.emplace(good(MappedMap::open(store.root(), id_)));
        pages_ = std::make_unique<PageLog>(store.disk(), mapped_->map());
    }
    ~TestLog() { pages_->close_descriptors(); }
    TestLog(const TestLog&) = delete;
    TestLog& operator=(const TestLog&) = delete;

    LogId id() const { return id_; }
    PageLog& pages() { return *pages_; }
    // Made if it is not there.
    FileEntry* file(FileId id) {
        bool created;
        int failure;
        return pages_->map().find_or_create(id, &created, &failure);
    }
    void write(FileId id, uint32_t block, const void* page) {
        ASSERT_EQ(pages_->write(file(id), block, &page, 1), 0);
        pages_->map().grow_length(file(id), block + 1);
    }
    RestorePoint seal() {
        EXPECT_EQ(pages_->seal("control", 7, 1), 0);
        ControlBuffer control;
        pages_->map().read_control(&control);
        RestorePoint point = good(store_.index_seal(id_, previous_ ? &*previous_ : nullptr,
                                                    base_ ? &*base_ : nullptr, control.seal_slot));
        add_live_files(point, pages_->map());
        good(save(store_.disk(), store_.root().c_str(), point));
        previous_ = point;
        return point;
    }

  private:
    Store& store_;
    LogId id_;
    std::optional<RestorePoint> base_, previous_;
    std::optional<MappedMap> mapped_;
    std::unique_ptr<PageLog> pages_;  // large
};

}  // namespace tarn::store
