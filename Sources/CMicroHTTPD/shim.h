#pragma once
#include <microhttpd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

// libmicrohttpd answers what it cannot parse with pages of its own and asks nobody, but it writes to
// its log first, with the status as the first argument. There is no other sign of it.
struct millrace_own_answers {
    void *loop;
    void (*answering)(void *loop, unsigned int status);
};
static inline void millrace_heed_log(void *context, const char *format, va_list arguments) {
    const struct millrace_own_answers *heed = (const struct millrace_own_answers *)context;
    if (strncmp(format, "Error processing request", 24) == 0)
        heed->answering(heed->loop, va_arg(arguments, unsigned int));
}

// MHD_start_daemon has variable arguments, which Swift cannot call. Timeouts are 0: libmicrohttpd's
// are for inactivity only, and the event loop keeps real deadlines of its own.
static inline struct MHD_Daemon *millrace_daemon_start(
    void *loop, struct millrace_own_answers *own_answers, unsigned int connection_limit, size_t connection_memory_bytes,
    MHD_AccessHandlerCallback handler, MHD_RequestCompletedCallback completed,
    MHD_NotifyConnectionCallback connection_changed, void *(*target_seen)(void *, const char *, struct MHD_Connection *),
    size_t (*keep_escapes)(void *, struct MHD_Connection *, char *)) {
    return MHD_start_daemon(
        MHD_USE_ERROR_LOG | MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL,
        NULL, handler, loop, MHD_OPTION_EXTERNAL_LOGGER, millrace_heed_log, own_answers,
        MHD_OPTION_CONNECTION_LIMIT, connection_limit,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory_bytes,
        MHD_OPTION_NOTIFY_COMPLETED, completed, loop,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, loop,
        MHD_OPTION_URI_LOG_CALLBACK, target_seen, loop,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, loop, MHD_OPTION_END);
}

// The daemon's and connection's facts come as unions behind variable arguments.
static inline int millrace_daemon_epoll(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}
static inline int millrace_connection_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}
static inline void *millrace_connection_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : 0;
}

// Closed C enumerations become Swift types with odd names; these take and give integers.
static inline void millrace_each_header(
    struct MHD_Connection *connection, void *context,
    enum MHD_Result (*each)(void *, enum MHD_ValueKind, const char *, size_t, const char *, size_t)) {
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, each, context);
}
static inline void millrace_each_trailer(
    struct MHD_Connection *connection, void *context,
    enum MHD_Result (*each)(void *, enum MHD_ValueKind, const char *, size_t, const char *, size_t)) {
    MHD_get_connection_values_n(connection, MHD_FOOTER_KIND, each, context);
}
static inline int millrace_queue_response(struct MHD_Connection *connection, unsigned int status,
                                          struct MHD_Response *response) {
    return MHD_queue_response(connection, status, response) == MHD_YES;
}
static inline struct MHD_Response *millrace_response_static(const void *bytes, size_t count) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_PERSISTENT);
}
static inline struct MHD_Response *millrace_response_copy(const void *bytes, size_t count) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}
// libmicrohttpd's own copy of a header value of `response`, for writing over it with one of the same
// length while no reply is under way; 0 without such a header.
static inline char *millrace_response_value(struct MHD_Response *response, const char *name) {
    return (char *)MHD_get_response_header(response, name);
}
static inline int millrace_connection_notice_is_start(enum MHD_ConnectionNotificationCode code) {
    return code == MHD_CONNECTION_NOTIFY_STARTED;
}
static inline int millrace_request_ended_well(enum MHD_RequestTerminationCode code) {
    return code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
}
// Without chunks and without a length; the connection closes. To a HEAD request libmicrohttpd would
// send the last chunk of a chunked reply, and the client would take it for the next reply.
static inline void millrace_response_without_length(struct MHD_Response *response) {
    MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}
static const ssize_t millrace_stream_end = MHD_CONTENT_READER_END_OF_STREAM;
static const ssize_t millrace_stream_error = MHD_CONTENT_READER_END_WITH_ERROR;

// Bytes from the method to the end of the empty line behind the header fields; 0 if not known.
static inline size_t millrace_header_bytes(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}
// Fields of the request's header.
static inline int millrace_header_count(struct MHD_Connection *connection) {
    return MHD_get_connection_values_n(connection, MHD_HEADER_KIND, NULL, NULL);
}
// libmicrohttpd closes the connection a second from now, whatever state it is in. A connection whose
// socket it has no reason to look at would not be seen to have ended otherwise.
static inline void millrace_connection_expire(struct MHD_Connection *connection) {
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
}

// sys/eventfd.h is not part of Swift's Glibc module, and accept4 needs _GNU_SOURCE there.
int eventfd(unsigned int, int);
int accept4(int, struct sockaddr *, socklen_t *, int);
static inline int millrace_wake_descriptor(void) { return eventfd(0, 04000 | 02000000); }
static inline int millrace_accept(int listener, struct sockaddr *address, socklen_t *size) {
    return accept4(listener, address, size, 04000 | 02000000);  // Not blocking, not inherited.
}
// poll.h has it for _GNU_SOURCE only: the peer will send no more.
static const short millrace_peer_finished = 0x2000;
static inline int millrace_listen_socket(int family) {
    return socket(family, SOCK_STREAM | 04000 | 02000000, 0);
}
