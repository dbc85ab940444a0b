// What EAL has to be told so that the virtio-net driver does all it can here.
#pragma once

#include <string>
#include <vector>

namespace testbed::load {

std::vector<std::string> eal_arguments();

}  // namespace testbed::load
