# Installs the library with its header, its pkg-config file and its CMake
# package, and the command.

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/runnel)
file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
  ${CMAKE_INSTALL_PREFIX})
if(RUNNEL_MBEDTLS_FOUND)
  set(mbedtls_pc "mbedtls mbedx509 mbedcrypto")
else()
  set(bare_mbedtls "-lmbedtls -lmbedx509 -lmbedcrypto")
endif()
file(CONFIGURE OUTPUT runnel.pc @ONLY CONTENT [[
prefix=${pcfiledir}/@up@
Name: runnel
Description: @PROJECT_DESCRIPTION@
Version: @version@
Cflags: -I${prefix}/@CMAKE_INSTALL_INCLUDEDIR@
Libs: -L${prefix}/@CMAKE_INSTALL_LIBDIR@ -lrunnel
Libs.private: @bare_mbedtls@ -pthread
Requires.private: libuv @llhttp_pc@ @mbedtls_pc@
]])
file(CONFIGURE OUTPUT runnelConfig.cmake @ONLY CONTENT [[
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(PkgConfig)
pkg_check_modules(RUNNEL_UV REQUIRED QUIET IMPORTED_TARGET libuv)
if(NOT "@llhttp_pc@" STREQUAL "")
  pkg_check_modules(RUNNEL_LLHTTP REQUIRED QUIET IMPORTED_TARGET libllhttp)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/find_mbedtls.cmake)
if(NOT TARGET runnel::mbedtls)
  set(runnel_FOUND FALSE)
  set(runnel_NOT_FOUND_MESSAGE "mbedTLS is needed, ${runnel_mbedtls_fault}")
  return()
endif()
include(${CMAKE_CURRENT_LIST_DIR}/runnelTargets.cmake)
set(runnel_kind @kind@)
if(DEFINED BUILD_SHARED_LIBS)
  set(runnel_kind $<IF:$<BOOL:${BUILD_SHARED_LIBS}>,shared,static>)
endif()
if(NOT TARGET runnel::runnel)
  add_library(runnel::runnel INTERFACE IMPORTED)
  set_target_properties(runnel::runnel PROPERTIES
    INTERFACE_LINK_LIBRARIES runnel::runnel_${runnel_kind})
endif()
]])
include(CMakePackageConfigHelpers)
write_basic_package_version_file(runnelConfigVersion.cmake
  VERSION ${version} COMPATIBILITY SameMinorVersion)
install(TARGETS runnel_static runnel_shared EXPORT runnelTargets)
install(EXPORT runnelTargets NAMESPACE runnel:: DESTINATION ${package})
install(FILES include/runnel.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/runnel.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES lib/find_mbedtls.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/runnelConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/runnelConfigVersion.cmake
  DESTINATION ${package})
if(TARGET runnel)
  install(TARGETS runnel)
endif()
