// Asio and Beast compiled once for the whole build: every other file sees declarations only
// (BOOST_ASIO_SEPARATE_COMPILATION), which keeps a clean build short.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
