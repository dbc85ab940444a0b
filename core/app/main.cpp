#include "core/app/program.hpp"
#include "vdev/ports.hpp"

int main(int argc, char** argv) {
  testbed::Parts parts;
  testbed::register_ports(parts.ports);
  return testbed::run_program(argc, argv, parts);
}
