# tarn_module(NAME SOURCES ... DEPS ... LIBS ... TESTS ...)
#
# One static library a folder under src/. DEPS are the other folders it may include (their level must be
# lower: tests/tidy checks the includes against the level table), LIBS are outside libraries, TESTS are
# GoogleTest files that become one program `NAME_test`, registered with CTest under the label "unit".
add_library(tarn_warnings INTERFACE)
target_compile_options(tarn_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Werror
  -fno-omit-frame-pointer)
target_include_directories(tarn_warnings INTERFACE ${CMAKE_SOURCE_DIR}/src)

function(tarn_module name)
  cmake_parse_arguments(M "" "" "SOURCES;DEPS;LIBS;TESTS" ${ARGN})
  if(M_SOURCES)
    add_library(tarn_${name} STATIC ${M_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(tarn_${name} PRIVATE tarn_warnings)
  else()
    add_library(tarn_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(tarn_${name} ${scope} ${CMAKE_SOURCE_DIR}/src)
  foreach(dep ${M_DEPS})
    target_link_libraries(tarn_${name} ${scope} tarn_${dep})
  endforeach()
  target_link_libraries(tarn_${name} ${scope} ${M_LIBS})
  if(M_TESTS)
    add_executable(${name}_test ${M_TESTS})
    target_link_libraries(${name}_test PRIVATE tarn_${name} tarn_warnings GTest::gtest GTest::gtest_main)
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
