// The Qt model: a `QSharedMemory` of 1,024 bytes with one slot, and a `QSystemSemaphore` for each side
// on which its listener thread waits; the listener copies the slot and zeroes it.
//
// Two of its faults are mended, or nothing could be measured. The slot says for whom its message is, and
// who finds a message that nobody took yet waits: else answers are erased. And the semaphores are
// renewed before 32,767 messages, at which the kernel refuses to count a releasing process's undos.

#include "pipe.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <QSharedMemory>
#include <QSystemSemaphore>

namespace {

constexpr int SEGMENT = 1024;
constexpr uint64_t RENEWAL = 30000;

thread_local std::string error;

// At the segment's start; the message follows.
struct Slot {
    uint32_t addressee;  // 0: empty, 1: the server, 2: the client
    uint32_t length;
};

class Semaphore {
  public:
    explicit Semaphore(QString key) : key_(std::move(key)), current_(make(0)) {}

    // The one for the next message. Who renews has seen the last message of the old one arrive. Its
    // successor is made long before: making one sets its count to zero, which may undo a release.
    QSystemSemaphore &next() {
        const uint64_t generation = count_ / RENEWAL;
        const uint64_t within = count_++ % RENEWAL;
        if (within == RENEWAL / 2) {
            following_ = make(generation + 1);
        } else if (within == 0 && generation > 0) {
            current_ = std::move(following_);
        }
        return *current_;
    }

    QSystemSemaphore &current() { return *current_; }

  private:
    std::unique_ptr<QSystemSemaphore> make(uint64_t generation) {
        return std::make_unique<QSystemSemaphore>(key_ + "-" + QString::number(generation));
    }

    QString key_;
    std::unique_ptr<QSystemSemaphore> current_, following_;
    uint64_t count_ = 0;
};

struct System {
    explicit System(const QString &name)
        : memory(name), to_server(name + "-to-server"), to_client(name + "-to-client") {}

    QSharedMemory memory;
    Semaphore to_server, to_client;
};

class Pipe {
  public:
    Pipe(const QString &name, bool is_server)
        : is_server_(is_server), system_(std::make_unique<System>(name)), memory_(system_->memory),
          to_server_(system_->to_server), to_client_(system_->to_client) {}

    bool open() {
        const bool there = is_server_ ? memory_.create(SEGMENT) : memory_.attach();
        if (!there) {
            error = memory_.errorString().toStdString();
            return false;
        }
        if (is_server_) {
            std::memset(memory_.data(), 0, SEGMENT);
        }
        listener_ = std::thread([this] { listen(); });
        return true;
    }

    bool send(const uint8_t *bytes, size_t length) {
        if (length > SEGMENT - sizeof(Slot)) {
            error = "a message larger than the segment";
            return false;
        }
        for (;;) {
            memory_.lock();
            auto *slot = static_cast<Slot *>(memory_.data());
            const bool empty = slot->addressee == 0;
            if (empty) {
                std::memcpy(slot + 1, bytes, length);
                *slot = {is_server_ ? 2u : 1u, static_cast<uint32_t>(length)};
            }
            memory_.unlock();
            if (empty) {
                break;
            }
            std::this_thread::yield();
        }
        auto &semaphore = (is_server_ ? to_client_ : to_server_).next();
        if (!semaphore.release()) {
            error = semaphore.errorString().toStdString();
            return false;
        }
        return true;
    }

    ptrdiff_t receive(uint8_t *bytes, size_t room) {
        std::unique_lock lock(mutex_);
        news_.wait(lock, [this] { return !came_.empty() || !failed_.empty(); });
        if (came_.empty()) {
            error = failed_;
            return -1;
        }
        const auto message = std::move(came_.front());
        came_.pop_front();
        if (message.size() > room) {
            error = "a message larger than the room for it";
            return -1;
        }
        std::memcpy(bytes, message.data(), message.size());
        return static_cast<ptrdiff_t>(message.size());
    }

    // Has Qt remove what the system keeps. The rest stays: somebody may wait for a message just now.
    void close() {
        if (listener_.joinable()) {
            closing_ = true;
            (is_server_ ? to_server_ : to_client_).current().release();
            listener_.join();
        }
        system_.reset();
    }

  private:
    void listen() {
        for (;;) {
            auto &semaphore = (is_server_ ? to_server_ : to_client_).next();
            const bool acquired = semaphore.acquire();
            if (closing_) {
                return;
            }
            if (!acquired) {
                std::lock_guard lock(mutex_);
                failed_ = semaphore.errorString().toStdString();
                news_.notify_one();
                return;
            }
            std::vector<uint8_t> message;
            memory_.lock();
            auto *slot = static_cast<Slot *>(memory_.data());
            if (slot != nullptr && slot->addressee == (is_server_ ? 1u : 2u)) {
                const auto *bytes = reinterpret_cast<const uint8_t *>(slot + 1);
                message.assign(bytes, bytes + slot->length);
                std::memset(memory_.data(), 0, SEGMENT);
            }
            memory_.unlock();
            // `signalRead`: to whoever uses the pair, on another thread.
            std::lock_guard lock(mutex_);
            came_.push_back(std::move(message));
            news_.notify_one();
        }
    }

    const bool is_server_;
    std::unique_ptr<System> system_;
    QSharedMemory &memory_;
    Semaphore &to_server_, &to_client_;
    std::mutex mutex_;
    std::condition_variable news_;
    std::deque<std::vector<uint8_t>> came_;
    std::string failed_;
    std::atomic<bool> closing_ = false;
    std::thread listener_;
};

// One for each process, for as long as that runs.
Pipe *only = nullptr;

}  // namespace

void *pipe_open(const char *name, const char *directory, bool is_server, size_t) {
    // Where Qt puts the files that its keys are made of.
    setenv("TMPDIR", directory, 1);
    only = new Pipe(QString::fromUtf8(name), is_server);
    // A server ends by `exit`, in the middle of waiting for its next message.
    std::atexit([] { only->close(); });
    return only->open() ? only : nullptr;
}

bool pipe_send(void *pipe, const uint8_t *bytes, size_t length) {
    return static_cast<Pipe *>(pipe)->send(bytes, length);
}

ptrdiff_t pipe_receive(void *pipe, uint8_t *bytes, size_t room) {
    return static_cast<Pipe *>(pipe)->receive(bytes, room);
}

void pipe_close(void *pipe) { static_cast<Pipe *>(pipe)->close(); }

const char *pipe_error() { return error.c_str(); }
