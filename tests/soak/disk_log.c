// Loaded before the C library of a process (LD_PRELOAD): writes down, in order, all that the process does to the files of one
// folder, so that whoever reads it can rebuild what a power cut at any instant may leave. Can also fill the disk and make it fail.
//
// KHULAN_DISK_FOLDER  the folder, absolute
// KHULAN_DISK_LOG     where to write; see `disk_log.py` for the form
// KHULAN_DISK_FAULT   a file of two int64: bytes that the folder may still grow by (negative: no limit); whether syncs fail
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 4096
#define NAME_MAX_ 96

struct __attribute__((packed)) entry {
    char op;
    uint8_t name_size;
    int64_t at_ns;
    int64_t offset;
    uint32_t size;
};

struct fault {
    int64_t room;
    int64_t sync_fails;
};

static char folder[PATH_MAX];
static size_t folder_size;
static int log_file = -1;
static struct fault *fault;
static char names[FILES_MAX][NAME_MAX_];
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("KHULAN_DISK_FOLDER"), *log = getenv("KHULAN_DISK_LOG"), *faults = getenv("KHULAN_DISK_FAULT");
    if (!where || strlen(where) >= PATH_MAX) return;
    strcpy(folder, where);
    folder_size = strlen(folder);
    if (log) log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (faults) {
        int file = syscall(SYS_openat, AT_FDCWD, faults, O_RDWR | O_CLOEXEC, 0);
        void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        fault = mapped == MAP_FAILED ? NULL : mapped;
    }
}

// The name inside the folder, "." for the folder itself, NULL for anything else.
static const char *inside(const char *path) {
    if (!folder_size || strncmp(path, folder, folder_size) != 0) return NULL;
    if (path[folder_size] == 0) return ".";
    return path[folder_size] == '/' && strlen(path + folder_size + 1) < NAME_MAX_ ? path + folder_size + 1 : NULL;
}

static const char *name_of(int file) { return file >= 0 && file < FILES_MAX && names[file][0] ? names[file] : NULL; }

static void note(char op, const char *name, int64_t offset, const void *data, size_t size) {
    static char buffer[1 << 16];
    struct timespec now;
    if (log_file < 0) return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct entry entry = {op, (uint8_t)strlen(name), now.tv_sec * 1000000000LL + now.tv_nsec, offset, (uint32_t)size};
    size_t head = sizeof entry + entry.name_size;
    memcpy(buffer, &entry, sizeof entry);
    memcpy(buffer + sizeof entry, name, entry.name_size);
    syscall(SYS_write, log_file, buffer, head);
    if (size && data) syscall(SYS_write, log_file, data, size);
}

// Whether the file may grow so far; what it grows by is taken off.
static int has_room(int file, int64_t end) {
    struct stat found;
    if (!fault || fault->room < 0 || fstat(file, &found) < 0 || end <= found.st_size) return 1;
    if (end - found.st_size > fault->room) return 0;
    fault->room -= end - found.st_size;
    return 1;
}

static int opened(int file, const char *path, int flags, int existed) {
    const char *name = inside(path);
    if (file < 0 || file >= FILES_MAX) return file;
    names[file][0] = 0;
    if (!name) return file;
    strcpy(names[file], name);
    if (!existed) note('C', name, 0, NULL, 0);
    else if (flags & O_TRUNC) note('T', name, 0, NULL, 0);
    return file;
}

#define OPEN(function)                                                        \
    int function(const char *path, int flags, ...) {                          \
        va_list rest;                                                         \
        va_start(rest, flags);                                                \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;             \
        va_end(rest);                                                         \
        pthread_mutex_lock(&turn);                                            \
        int existed = !inside(path) || access(path, F_OK) == 0;               \
        int file = opened(REAL(function)(path, flags, mode), path, flags, existed); \
        pthread_mutex_unlock(&turn);                                          \
        return file;                                                          \
    }
OPEN(open)
OPEN(open64)

#define PWRITE(function, type)                                                \
    ssize_t function(int file, const void *data, size_t size, type offset) {  \
        const char *name = name_of(file);                                     \
        if (!name) return REAL(function)(file, data, size, offset);           \
        pthread_mutex_lock(&turn);                                            \
        ssize_t written = -1;                                                 \
        if (!has_room(file, offset + size)) errno = ENOSPC;                   \
        else written = REAL(function)(file, data, size, offset);              \
        if (written > 0) note('W', name, offset, data, written);              \
        pthread_mutex_unlock(&turn);                                          \
        return written;                                                       \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int file, const void *data, size_t size) {
    const char *name = name_of(file);
    if (!name) return REAL(write)(file, data, size);
    pthread_mutex_lock(&turn);
    struct stat found;
    int64_t offset = fcntl(file, F_GETFL) & O_APPEND && fstat(file, &found) == 0 ? found.st_size : lseek(file, 0, SEEK_CUR);
    ssize_t written = -1;
    if (!has_room(file, offset + size)) errno = ENOSPC;
    else written = REAL(write)(file, data, size);
    if (written > 0) note('W', name, offset, data, written);
    pthread_mutex_unlock(&turn);
    return written;
}

#define TRUNCATE(function, type)                                              \
    int function(int file, type size) {                                       \
        const char *name = name_of(file);                                     \
        if (!name) return REAL(function)(file, size);                         \
        pthread_mutex_lock(&turn);                                            \
        int failed = -1;                                                      \
        if (!has_room(file, size)) errno = ENOSPC;                            \
        else failed = REAL(function)(file, size);                             \
        if (!failed) note('T', name, size, NULL, 0);                          \
        pthread_mutex_unlock(&turn);                                          \
        return failed;                                                        \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define ALLOCATE(function, type)                                              \
    int function(int file, type offset, type size) {                          \
        const char *name = name_of(file);                                     \
        if (!name) return REAL(function)(file, offset, size);                 \
        pthread_mutex_lock(&turn);                                            \
        int problem = has_room(file, offset + size) ? REAL(function)(file, offset, size) : ENOSPC; \
        if (!problem) note('A', name, offset + size, NULL, 0);                \
        pthread_mutex_unlock(&turn);                                          \
        return problem;                                                       \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

#define SYNC(function)                                                        \
    int function(int file) {                                                  \
        const char *name = name_of(file);                                     \
        if (!name) return REAL(function)(file);                               \
        pthread_mutex_lock(&turn);                                            \
        int failed = -1;                                                      \
        if (fault && fault->sync_fails) errno = EIO;                          \
        else failed = REAL(function)(file);                                   \
        if (!failed) note('S', name, 0, NULL, 0);                             \
        pthread_mutex_unlock(&turn);                                          \
        return failed;                                                        \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    const char *name = inside(path);
    if (!name) return REAL(unlink)(path);
    pthread_mutex_lock(&turn);
    struct stat found;
    int64_t size = stat(path, &found) == 0 ? found.st_size : 0;
    int failed = REAL(unlink)(path);
    if (!failed) {
        if (fault && fault->room >= 0) fault->room += size;
        note('U', name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    return failed;
}

int rename(const char *from, const char *to) {
    const char *name = inside(from), *other = inside(to);
    if (!name || !other) return REAL(rename)(from, to);
    pthread_mutex_lock(&turn);
    int failed = REAL(rename)(from, to);
    if (!failed) note('R', name, 0, other, strlen(other));
    pthread_mutex_unlock(&turn);
    return failed;
}

int close(int file) {
    if (file >= 0 && file < FILES_MAX) names[file][0] = 0;
    return REAL(close)(file);
}
