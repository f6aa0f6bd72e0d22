// sekisho-floor: what the kernel alone costs, to lay beside a proxy's figures. One thread, raw epoll.
//
//   sekisho-floor relay LISTEN UPSTREAM     passes requests on over kept connections
//   sekisho-floor answer LISTEN STATUS      answers all by itself: 429 for the floor of a refusal, 200 as the
//   leanest upstream
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/floor/answer.hpp"
#include "bench/floor/relay.hpp"

int main(int argc, char** argv) {
  const std::string_view what = argc == 4 ? argv[1] : "";
  if (what == "relay") sekisho::bench::floor::relay(argv[2], argv[3]);
  if (what == "answer") sekisho::bench::floor::answer(argv[2], std::atoi(argv[3]));
  std::fputs("usage: sekisho-floor relay LISTEN UPSTREAM\n       sekisho-floor answer LISTEN STATUS\n",
             stderr);
  return 2;
}
