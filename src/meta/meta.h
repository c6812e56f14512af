// meta.h: the durable state of the control plane: one SQLite file.
//
// All writes go through one connection, one transaction at a time, synced before write() answers
// (WAL mode, synchronous=FULL). Reads have a connection of their own and see the last commit.
//
// Invariants
//   M1  a mutation writes the wanted state and its operation in one transaction, or nothing.
//       [MetaTest.FailedTransactionLeavesNothing,
//       MetaTest.FailedCommitLeavesNothingAndTheNextOneWorks]
//   M2  the file's version is the number of migrations applied; a newer file is refused, never
//       touched. [MetaTest.FileOfANewerVersionIsRefused]
//
// Threads: any. Functions given to read() and write() must not call read() or write().
// Crash: an unfinished transaction is as if it had never begun.
// Fails with: no_space, io_error, data_loss (the file is damaged), unavailable (another writer).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/result.h"

namespace tarn::meta {

class Connection;
struct RecordName;  // record_parts.h

// A connection inside a transaction: what the functions of projects.h, branches.h ... take.
class Session {
  public:
    explicit Session(Connection& connection) : connection_(connection) {}
    Connection& connection() { return connection_; }

  private:
    Connection& connection_;
};

class Meta {
  public:
    struct Options {
        // Called before each commit; an error rolls back. The crash tests' way in.
        std::function<Result<void>()> before_commit;
    };

    static Result<std::unique_ptr<Meta>> open(const std::string& path, Options options = {});
    // For a program beside the server, or without one: reads the file as it is, and writes nothing.
    // bad_request unless it is of this program's version.
    static Result<std::unique_ptr<Meta>> open_reading(const std::string& path);
    ~Meta();

    // Runs `body` in a writing transaction: its value commits, its Error rolls back.
    template <class Body>
    std::invoke_result_t<Body, Session&> write(Body body) {
        std::lock_guard lock(write_mutex_);
        Session session(*writer_);
        TRY(begin(session));
        auto result = body(session);
        if (!result.ok()) {
            roll_back(session);
            return result;
        }
        TRY(commit(session));
        return result;
    }

    template <class Body>
    std::invoke_result_t<Body, Session&> read(Body body) {
        std::lock_guard lock(read_mutex_);
        Session session(*reader_);
        TRY(begin_reading(session));
        auto result = body(session);
        roll_back(session);
        return result;
    }

    // From now on `changed` is called after each commit with the records that it changed, while no
    // other write can begin: it must be quick. Once, before other threads write.
    using Changed = std::function<void(const std::set<RecordName>&)>;
    Result<void> watch(Changed changed);

  private:
    Meta(std::unique_ptr<Connection> writer, std::unique_ptr<Connection> reader, Options options);

    Result<void> begin(Session& session);
    Result<void> begin_reading(Session& session);
    Result<void> commit(Session& session);
    void roll_back(Session& session);

    std::mutex write_mutex_;
    std::mutex read_mutex_;
    std::unique_ptr<Connection> writer_;  // under write_mutex_
    std::unique_ptr<Connection> reader_;  // under read_mutex_
    Options options_;
    Changed changed_;
    std::unique_ptr<std::set<RecordName>> touched_;  // by the transaction; under write_mutex_
};

}  // namespace tarn::meta
