// What EAL leaves in the file system when a process goes without stopping it.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "core/base/eal.hpp"
#include "tests/unit/base/scratch.hpp"

using namespace testbed;

BOOST_AUTO_TEST_SUITE(eal_files)

BOOST_AUTO_TEST_CASE(the_files_of_one_process_go_and_those_of_its_neighbours_stay) {
  const Scratch scratch;
  const std::filesystem::path dpdk = scratch.file("dpdk");
  for (const char* prefix : {"mine", "yours"}) {
    std::filesystem::create_directories(dpdk / prefix);
    std::ofstream(dpdk / prefix / "dpdk_telemetry.v2");
  }
  remove_eal_files({.program = "", .file_prefix = "mine", .runtime_dir = scratch.path});
  BOOST_TEST(!std::filesystem::exists(dpdk / "mine"));
  BOOST_TEST(std::filesystem::exists(dpdk / "yours" / "dpdk_telemetry.v2"));
  remove_eal_files({.program = "", .file_prefix = "yours", .runtime_dir = scratch.path});
  BOOST_TEST(!std::filesystem::exists(dpdk));
  remove_eal_files(
      {.program = "", .file_prefix = "yours", .runtime_dir = scratch.path});  // again: nothing to do
}

BOOST_AUTO_TEST_SUITE_END()
