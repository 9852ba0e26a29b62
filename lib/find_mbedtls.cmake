# Finds mbedTLS and wraps it in the target runnel::mbedtls, which links its
# three libraries. By its CMake package, by pkg-config, or bare: Debian 12 has
# neither of the two. Read by runnel's own build and, installed, by
# runnelConfig.cmake, so that both see the same library.
#
# Sets runnel_mbedtls_version; with a library that will not do, or none, makes
# no target, sets runnel_mbedtls_fault and leaves it to the reader to say so.

function(runnel_find_mbedtls)
  set(parts mbedtls mbedx509 mbedcrypto)
  if(NOT TARGET MbedTLS::mbedtls)
    find_package(MbedTLS CONFIG QUIET)
    if(TARGET MbedTLS::mbedtls)
      foreach(part ${parts})
        set_target_properties(MbedTLS::${part} PROPERTIES IMPORTED_GLOBAL TRUE)
      endforeach()
    endif()
  endif()
  # mbedtls.pc names the other two for static linking only.
  pkg_check_modules(RUNNEL_MBEDTLS QUIET IMPORTED_TARGET GLOBAL ${parts})
  set(hints ${RUNNEL_MBEDTLS_INCLUDE_DIRS})
  if(TARGET MbedTLS::mbedtls)
    list(TRANSFORM parts PREPEND MbedTLS:: OUTPUT_VARIABLE libraries)
    get_target_property(hints MbedTLS::mbedtls INTERFACE_INCLUDE_DIRECTORIES)
  elseif(RUNNEL_MBEDTLS_FOUND)
    set(libraries PkgConfig::RUNNEL_MBEDTLS)
  else()
    foreach(part ${parts})
      find_library(RUNNEL_${part} ${part})
      mark_as_advanced(RUNNEL_${part})
      list(APPEND libraries ${RUNNEL_${part}})
    endforeach()
  endif()

  # Versions 2 have it in version.h, later ones in build_info.h.
  find_path(headers mbedtls/version.h HINTS ${hints} NO_CACHE)
  if(NOT headers OR "${libraries}" MATCHES "NOTFOUND")
    set(runnel_mbedtls_fault "which was not found" PARENT_SCOPE)
    return()
  endif()
  file(GLOB files ${headers}/mbedtls/build_info.h ${headers}/mbedtls/version.h)
  foreach(file ${files})
    file(STRINGS ${file} lines REGEX "define MBEDTLS_VERSION_STRING ")
    string(APPEND text "${lines}")
  endforeach()
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" version "${text}")
  if(version VERSION_LESS 2.28.3 OR NOT version VERSION_LESS 4)
    set(runnel_mbedtls_fault
      "and ${headers} has version \"${version}\"" PARENT_SCOPE)
    return()
  endif()
  add_library(runnel::mbedtls INTERFACE IMPORTED GLOBAL)
  set_target_properties(runnel::mbedtls PROPERTIES
    INTERFACE_LINK_LIBRARIES "${libraries}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${headers})
  set(runnel_mbedtls_version ${version} PARENT_SCOPE)
endfunction()

if(NOT TARGET runnel::mbedtls)
  runnel_find_mbedtls()
endif()
