#pragma once
#include <curl/curl.h>

// curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt take variable arguments, which Swift
// cannot call, and pick what they read by the option. So there is one shim for each type of
// argument; the caller must hand over what the option's manual page asks for.

static inline CURLcode millrace_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

// Above 2 GiB a long would do on 64 bits only; the options of this type end in _LARGE.
static inline CURLcode millrace_curl_set_large(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

// curl copies the text, except for CURLOPT_POSTFIELDS.
static inline CURLcode millrace_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

// curl keeps the pointer; what it points to stays the caller's and must outlive the transfer.
static inline CURLcode millrace_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

// The type of CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION; the last argument is what
// CURLOPT_WRITEDATA or CURLOPT_HEADERDATA was set to.
typedef size_t (*millrace_curl_receiver)(char *bytes, size_t size, size_t count, void *transfer);

static inline CURLcode millrace_curl_set_receiver(CURL *easy, CURLoption option,
                                                  millrace_curl_receiver receiver) {
    return curl_easy_setopt(easy, option, receiver);
}

static inline CURLcode millrace_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode millrace_curl_get_large(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode millrace_curl_multi_set_long(CURLM *multi, CURLMoption option,
                                                     long value) {
    return curl_multi_setopt(multi, option, value);
}

// CURLMsg holds a union, which is read here so that Swift need not know which member is valid.
// Returns the handle of a transfer that has ended, and how; NULL when there is none.
static inline CURL *millrace_curl_multi_ended(CURLM *multi, CURLcode *result) {
    int waiting = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &waiting)) != NULL;) {
        if (message->msg != CURLMSG_DONE) continue;
        *result = message->data.result;
        return message->easy_handle;
    }
    return NULL;
}
