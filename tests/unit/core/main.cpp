#define BOOST_TEST_MODULE core
#include <boost/test/unit_test.hpp>

#include "tests/unit/core/eal_fixture.hpp"

struct Eal : EalFixture {
  Eal() : EalFixture("test_core") {}
};

BOOST_TEST_GLOBAL_FIXTURE(Eal);
