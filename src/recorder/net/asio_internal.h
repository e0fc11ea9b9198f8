#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "recorder/net/event_loop.h"

namespace tapeworks::net {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;

/// co_await gives the error code and the values; nothing is thrown.
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

struct EventLoop::Impl {
  asio::io_context context{1};
  std::unique_ptr<asio::signal_set> termination;
  std::unique_ptr<asio::signal_set> reload;
};

/// Completion of a coroutine whose owner is kept alive by `owner`: an exception in it is a bug and
/// leaves through EventLoop::run().
template <typename Owner>
auto rethrow_and_release(Owner owner) {
  return [owner = std::move(owner)](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
}

}  // namespace tapeworks::net
