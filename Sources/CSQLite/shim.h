#pragma once
#include <sqlite3.h>
#include <stddef.h>

// SQLITE_TRANSIENT and SQLITE_STATIC are pointer casts that Swift cannot import.
static inline int millrace_bind_text_static(sqlite3_stmt *s, int i, const char *p, long long n) {
    return sqlite3_bind_text64(s, i, p, (sqlite3_uint64)n, SQLITE_STATIC, SQLITE_UTF8);
}
static inline int millrace_bind_text_copy(sqlite3_stmt *s, int i, const char *p, long long n) {
    return sqlite3_bind_text64(s, i, p, (sqlite3_uint64)n, SQLITE_TRANSIENT, SQLITE_UTF8);
}
static inline int millrace_bind_blob_static(sqlite3_stmt *s, int i, const void *p, long long n) {
    return sqlite3_bind_blob64(s, i, p, (sqlite3_uint64)n, SQLITE_STATIC);
}
static inline int millrace_bind_blob_copy(sqlite3_stmt *s, int i, const void *p, long long n) {
    return sqlite3_bind_blob64(s, i, p, (sqlite3_uint64)n, SQLITE_TRANSIENT);
}
static inline void millrace_result_text_copy(sqlite3_context *c, const char *p, long long n) {
    sqlite3_result_text64(c, p, (sqlite3_uint64)n, SQLITE_TRANSIENT, SQLITE_UTF8);
}
// sqlite3_db_config has variable arguments, which Swift cannot call.
static inline int millrace_db_config_flag(sqlite3 *db, int option, int on) {
    return sqlite3_db_config(db, option, on, (int *)0);
}

// The database file as SQLite has it open. A descriptor of our own would, when it is closed, take away
// the locks that POSIX keeps for the whole process.
static inline sqlite3_file *millrace_file(sqlite3 *db) {
    sqlite3_file *file = 0;
    int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return code == SQLITE_OK && file && file->pMethods ? file : 0;
}
static inline int millrace_file_read(sqlite3 *db, void *target, int count, long long offset) {
    sqlite3_file *file = millrace_file(db);
    return file ? file->pMethods->xRead(file, target, count, offset) : SQLITE_ERROR;
}
static inline int millrace_file_write(
    sqlite3 *db, const void *bytes, int count, long long offset) {
    sqlite3_file *file = millrace_file(db);
    return file ? file->pMethods->xWrite(file, bytes, count, offset) : SQLITE_ERROR;
}
static inline int millrace_file_sync(sqlite3 *db) {
    sqlite3_file *file = millrace_file(db);
    return file ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : SQLITE_ERROR;
}
// The write-ahead log as SQLite has it open.
static inline int millrace_log_read(sqlite3 *db, void *target, int count, long long offset) {
    sqlite3_file *file = 0;
    int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    if (code != SQLITE_OK) return code;
    if (!file || !file->pMethods) return SQLITE_ERROR;
    return file->pMethods->xRead(file, target, count, offset);
}

// glibc shows memmem only to sources that define _GNU_SOURCE, which a module cannot do for itself.
extern void *memmem(const void *text, size_t count, const void *pattern, size_t length);
static inline const void *millrace_find(
    const void *text, size_t count, const void *pattern, size_t length) {
    return memmem(text, count, pattern, length);
}
