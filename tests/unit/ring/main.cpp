#define BOOST_TEST_MODULE ring
#include <boost/test/unit_test.hpp>

#include "vdev/ring/frame.hpp"

namespace {

struct GuestFrames {
  GuestFrames() { testbed::ring::register_guest_frames(); }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(GuestFrames);
