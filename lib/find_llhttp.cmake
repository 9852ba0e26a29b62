# llhttp: the folder that was named, a package of the system, or Debian 12's
# sources. Sources become part of runnel, under names of its own, so that they
# never meet another copy in the same program.
if(NOT RUNNEL_LLHTTP_DIR)
  pkg_check_modules(RUNNEL_LLHTTP QUIET IMPORTED_TARGET GLOBAL libllhttp)
endif()
if(RUNNEL_LLHTTP_FOUND)
  set(llhttp PkgConfig::RUNNEL_LLHTTP)
  set(llhttp_pc libllhttp)
else()
  set(places /usr/share/llhttp /usr/share/include/llhttp)
  if(RUNNEL_LLHTTP_DIR)
    set(places ${RUNNEL_LLHTTP_DIR})
  endif()
  find_path(llhttp_sources llhttp.c PATHS ${places} PATH_SUFFIXES src
    NO_CACHE NO_DEFAULT_PATH)
  find_path(llhttp_include llhttp.h PATHS ${places} PATH_SUFFIXES include
    NO_CACHE NO_DEFAULT_PATH)
  if(NOT llhttp_sources OR NOT llhttp_include)
    fail_missing("llhttp (or its sources in RUNNEL_LLHTTP_DIR)"
      "libllhttp-dev (Debian 12: node-llhttp)" llhttp-devel llhttp-dev llhttp)
  endif()
  file(GLOB sources ${llhttp_sources}/*.c)
  set(names "")
  foreach(file ${sources} ${llhttp_include}/llhttp.h)
    file(STRINGS ${file} lines REGEX "llhttp_[a-z0-9_]+ *\\(")
    string(REGEX MATCHALL "llhttp_[a-z0-9_]+ *\\(" found "${lines}")
    list(APPEND names ${found})
  endforeach()
  list(TRANSFORM names REPLACE " *\\($" "")
  list(REMOVE_DUPLICATES names)
  list(TRANSFORM names REPLACE "(.+)" "#define \\1 runnel__\\1")
  list(JOIN names "\n" names)
  file(CONFIGURE OUTPUT llhttp_names.h CONTENT "${names}\n")
  add_library(runnel_llhttp OBJECT ${sources})
  target_include_directories(runnel_llhttp SYSTEM PUBLIC ${llhttp_include})
  target_compile_options(runnel_llhttp PRIVATE -w
    PUBLIC -include ${CMAKE_CURRENT_BINARY_DIR}/llhttp_names.h)
  set_target_properties(runnel_llhttp PROPERTIES
    C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  set(llhttp runnel_llhttp)
  set(llhttp_objects $<TARGET_OBJECTS:runnel_llhttp>)
endif()
