#define BOOST_TEST_MODULE nic
#include <boost/test/unit_test.hpp>

#include "tests/unit/core/eal_fixture.hpp"
#include "tests/unit/nic/netns.hpp"

// The namespace first: EAL makes threads, and interfaces are looked up where the process is.
struct Namespace {
  Namespace() { testbed::test::enter_netns(); }
};
struct Eal : Namespace, EalFixture {
  Eal() : EalFixture("test_nic") {}
};

BOOST_TEST_GLOBAL_FIXTURE(Eal);
