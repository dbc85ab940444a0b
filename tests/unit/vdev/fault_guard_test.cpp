// A file of guest memory that becomes shorter costs a session, never the process.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <thread>

#include "gate_rig.hpp"
#include "vdev/gate/mapping_lookup.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::FdFacts;
using wire::Request;

namespace {

constexpr size_t kSize = 64 * 4096;

// A memfd of kSize octets, mapped.
struct Memory {
  Memory() : file(::memfd_create("guest", MFD_ALLOW_SEALING)) {
    BOOST_REQUIRE_EQUAL(::ftruncate(file.get(), kSize), 0);
    void* at = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    BOOST_REQUIRE(at != MAP_FAILED);
    bytes = static_cast<volatile char*>(at);
  }
  ~Memory() { ::munmap(const_cast<char*>(bytes), kSize); }
  void shrink() { BOOST_REQUIRE_EQUAL(::ftruncate(file.get(), 0), 0); }

  Fd file;
  volatile char* bytes;
};

struct Watched {
  Watched() : watch(io, [this] { ++told; }) {}
  void add(const Memory& memory) {
    const FdFacts facts = gate::describe_fd(memory.file.get());
    gate::Message table;
    table.header.request = static_cast<uint32_t>(Request::SET_MEM_TABLE);
    BOOST_REQUIRE(watch.before(table, {&facts, 1}));
    watch.accepted(Request::SET_MEM_TABLE);
  }
  int told_by_now() {
    io.restart();
    io.poll();
    return told;
  }
  boost::asio::io_context io;
  int told = 0;
  gate::MemoryWatch watch;
};

// How a child ends that runs `act`.
template <typename Act>
int end_of_child(Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    act();
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  return status;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_guard)

BOOST_AUTO_TEST_CASE(memory_that_is_gone_reads_as_zeroes_and_its_session_is_told) {
  Memory memory;
  Watched session;
  session.add(memory);
  memory.bytes[100] = 7;
  BOOST_TEST(session.told_by_now() == 0);
  memory.shrink();
  BOOST_TEST(int{memory.bytes[100]} == 0);
  memory.bytes[kSize - 1] = 1;
  BOOST_TEST(int{memory.bytes[kSize - 1]} == 1);
  BOOST_TEST(session.told_by_now() == 1);
}

BOOST_AUTO_TEST_CASE(sessions_with_other_files_are_not_told) {
  Memory one, other;
  Watched a, b, c;
  a.add(one);
  b.add(other);
  c.add(one);
  one.shrink();
  one.bytes[0] = 1;
  BOOST_TEST(a.told_by_now() == 1);
  BOOST_TEST(b.told_by_now() == 0);
  BOOST_TEST(c.told_by_now() == 1);
}

BOOST_AUTO_TEST_CASE(threads_that_fault_at_once_all_go_on) {
  for (int round = 0; round < 50; ++round) {
    Memory memory;
    Watched session;
    session.add(memory);
    memory.shrink();
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 4; ++i)
      threads.emplace_back([&memory, i] {
        for (size_t page = i; page < kSize / 4096; page += 4) memory.bytes[page * 4096] = 1;
      });
    for (auto& thread : threads) thread.join();
    BOOST_TEST(session.told_by_now() == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_file_nobody_guards_any_more_is_a_crash_as_before) {
  ::signal(SIGBUS, SIG_DFL);  // not the test framework's, which would go on with the next test
  Memory memory, other;
  Watched session;
  session.add(memory);
  session.add(other);  // a new table: the first file is not part of it
  const int end = end_of_child([&] {
    if (::ftruncate(memory.file.get(), 0) == 0) memory.bytes[0] = 1;
  });
  BOOST_TEST((WIFSIGNALED(end) || WEXITSTATUS(end) != 0));
}

BOOST_AUTO_TEST_CASE(a_mapping_is_found_by_address_and_by_file) {
  Memory memory;
  const auto at = reinterpret_cast<uintptr_t>(memory.bytes);
  const auto found = gate::find_mapping(at + kSize - 1);
  BOOST_REQUIRE(found);
  BOOST_TEST(found->begin == at);
  BOOST_TEST(found->end == at + kSize);
  BOOST_TEST(found->offset == 0u);
  BOOST_TEST((found->file == gate::describe_fd(memory.file.get()).id));
  BOOST_TEST(gate::find_mapping(found->file)->begin == at);
  BOOST_TEST(!gate::find_mapping(uintptr_t{1}));
}

BOOST_AUTO_TEST_CASE(a_session_whose_memory_shrinks_ends_by_that_name) {
  Connected rig;
  Memory memory;
  const wire::MemoryTable table{1, 0, {wire::MemoryRegion{0, kSize, 0x100000, 0}}};
  rig.frontend.send(Request::SET_MEM_TABLE, table, wire::kFlagNeedReply, {memory.file.get()});
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 0u);
  memory.shrink();
  memory.bytes[0] = 1;  // as the back-end would
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_REQUIRE(rig.until_event("session.refused"));
  BOOST_TEST(rig.named("session.refused")[0]["reason"] == "shrunk");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_sealed_is_known_as_such) {
  Memory memory;
  BOOST_TEST(gate::describe_fd(memory.file.get()).shrinkable);
  ::fcntl(memory.file.get(), F_ADD_SEALS, F_SEAL_SHRINK);
  const FdFacts facts = gate::describe_fd(memory.file.get());
  BOOST_TEST(!facts.shrinkable);
  BOOST_TEST(facts.writable);
  ::munmap(const_cast<char*>(memory.bytes), kSize);
  ::fcntl(memory.file.get(), F_ADD_SEALS, F_SEAL_WRITE);
  BOOST_TEST(!gate::describe_fd(memory.file.get()).writable);
}

BOOST_AUTO_TEST_SUITE_END()
