#define BOOST_TEST_MODULE vdev
#include <boost/test/unit_test.hpp>
