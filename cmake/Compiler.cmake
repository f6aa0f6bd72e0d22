# One interface target that every target of ours links: warnings, hardening, sanitizers.
find_program(CCACHE ccache)
if(CCACHE)
  # A precompiled header and ccache agree only with these (ccache's manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

add_library(sekisho_compiler INTERFACE)
add_library(sekisho::compiler ALIAS sekisho_compiler)
target_include_directories(sekisho_compiler INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(sekisho_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  -fstack-protector-strong)
# g++ 12 sees overlapping copies and uninitialised strings where there are none (GCC bugs 105329, 105562).
target_compile_options(sekisho_compiler INTERFACE "$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-maybe-uninitialized>")
if(CCACHE)
  target_compile_options(sekisho_compiler INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

if(SEKISHO_SANITIZE)
  list(JOIN SEKISHO_SANITIZE "," sanitizers)
  target_compile_options(sekisho_compiler INTERFACE
    -fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if("undefined" IN_LIST SEKISHO_SANITIZE)
    # Its look at an object's type opens a pipe, and calls the object invalid where no descriptor is left: what
    # listeners_test has the proxy survive.
    target_compile_options(sekisho_compiler INTERFACE -fno-sanitize=vptr)
  endif()
  target_link_options(sekisho_compiler INTERFACE -fsanitize=${sanitizers})
  target_compile_definitions(sekisho_compiler INTERFACE SEKISHO_SANITIZED)
  if("thread" IN_LIST SEKISHO_SANITIZE)
    # g++ 12's ThreadSanitizer does not know atomic_thread_fence; Asio can do without its fences.
    target_compile_definitions(sekisho_compiler INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    target_compile_options(sekisho_compiler INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
else()
  target_compile_definitions(sekisho_compiler INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
  target_link_options(sekisho_compiler INTERFACE -Wl,-z,relro,-z,now)
endif()
include(CheckPIESupported)
check_pie_supported()
