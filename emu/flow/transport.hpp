// What an end of a flow needs from whatever carries its frames: a poll-mode driver's port in testbed-load, a
// packet socket in the guest's agent, a pair of vectors in the tests.
//
// A frame is one run of octets without FCS. Buffers belong to the transport. Sending: reserve() gives empty
// buffers, the caller fills them, send() takes them all. Receiving: receive() lends filled ones, release()
// gives them back. At most one reservation and one lent burst exist per queue at any time. All calls but
// link_up() come from the thread that polls the engine; the engine calls nothing else in between, so scratch
// buffers may be shared by all queues.
#pragma once

#include <cstdint>

namespace testbed::flow {

inline constexpr uint16_t kBurst = 32;     // frames in one reserve(), send() or receive()
inline constexpr uint32_t kMinFrame = 60;  // octets, without FCS
inline constexpr uint32_t kMaxFrame = 9000;

struct Frame {
  uint8_t* data;  // lent frames may be scribbled on: they are private to this end
  uint32_t length;
  void* handle;  // the transport's own
};

class Transport {
 public:
  virtual ~Transport() = default;

  virtual uint16_t queues() const = 0;     // queue pairs in use, >= 1; may change between polls
  virtual uint32_t max_frame() const = 0;  // the longest frame it can send and receive
  virtual bool link_up() const = 0;        // any thread

  // `frames[i].length` says what is wanted. Sets data and handle of the leading ones it has room for; returns
  // how many.
  virtual uint16_t reserve(uint16_t queue, Frame* frames, uint16_t count) = 0;
  // Takes back every reserved frame. Sends the leading ones there is room for and returns how many; the rest
  // are dropped and were never sent.
  virtual uint16_t send(uint16_t queue, Frame* frames, uint16_t count) = 0;

  virtual uint16_t receive(uint16_t queue, Frame* frames, uint16_t count) = 0;
  virtual void release(uint16_t queue, Frame* frames, uint16_t count) = 0;
};

}  // namespace testbed::flow
