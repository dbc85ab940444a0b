# DPDK, linked statically with only the drivers in use: the shared libraries make EAL load every poll-mode driver
# found on the machine, which costs up to 130 ms of every start (docs/decisions/0002-static-dpdk.md).
find_package(PkgConfig REQUIRED)
pkg_check_modules(DPDK REQUIRED libdpdk>=22.11)
find_library(NUMA_LIBRARY numa REQUIRED)
find_library(PCAP_LIBRARY pcap REQUIRED)
find_library(BSD_LIBRARY bsd)

set(TB_DPDK_DIR ${DPDK_LIBDIR})
if(NOT TB_DPDK_DIR)
  pkg_get_variable(TB_DPDK_DIR libdpdk libdir)
endif()

# tb_dpdk_library(NAME DRIVERS... ): an interface target that links EAL and the named drivers (without "librte_" and ".a").
function(tb_dpdk_library name)
  add_library(${name} INTERFACE)
  target_include_directories(${name} SYSTEM INTERFACE ${DPDK_INCLUDE_DIRS})
  target_compile_options(${name} INTERFACE -include rte_config.h -march=x86-64-v2)
  # Drivers register themselves in constructors nobody refers to: they have to be linked whole.
  set(whole)
  foreach(driver bus_vdev mempool_ring ${ARGN})
    list(APPEND whole ${TB_DPDK_DIR}/librte_${driver}.a)
  endforeach()
  set(libs)
  foreach(lib vhost ethdev eal mempool mbuf ring kvargs telemetry net meter hash rcu cryptodev dmadev gso
              ip_frag timer stack pci bus_pci security pcapng)
    list(APPEND libs ${TB_DPDK_DIR}/librte_${lib}.a)
  endforeach()
  target_link_libraries(${name} INTERFACE
    -Wl,--whole-archive ${whole} -Wl,--no-whole-archive -Wl,--start-group ${libs} -Wl,--end-group
    ${NUMA_LIBRARY} ${PCAP_LIBRARY} $<$<BOOL:${BSD_LIBRARY}>:${BSD_LIBRARY}> ${CMAKE_DL_LIBS} Threads::Threads)
endfunction()

# Headers only, for code that calls DPDK but leaves the choice of drivers to the program it ends up in.
add_library(tb_dpdk_headers INTERFACE)
target_include_directories(tb_dpdk_headers SYSTEM INTERFACE ${DPDK_INCLUDE_DIRS})
target_compile_options(tb_dpdk_headers INTERFACE -include rte_config.h -march=x86-64-v2)

tb_dpdk_library(tb_dpdk_switch net_tap net_af_packet net_pcap net_null net_ring net_memif)
tb_dpdk_library(tb_dpdk_load net_virtio bus_pci)
tb_dpdk_library(tb_dpdk_all net_tap net_af_packet net_pcap net_null net_ring net_memif net_virtio bus_pci)
