#define BOOST_TEST_MODULE flow
#include <boost/test/unit_test.hpp>
