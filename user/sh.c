/*
 * sh.c - a small shell, for a system without busybox.
 *
 *   sh                 interactive on a terminal, else commands from standard input
 *   sh -c COMMANDS     sh FILE [ARGS]
 *
 * Has: words with '...', "...", \, $NAME ${NAME} $? $$ $0-$9 $# $((sum)), *, ?; redirection < > >> 2> 2>> 2>&1;
 * a | b, a && b, a || b, a ; b, a &, # comments, NAME=value; cd exit export unset exec wait echo true false pwd
 * kill set; the applets of applets.c for commands that PATH does not have.  Has not: loops, functions, if, here
 * documents, command substitution.
 *
 * One pass: tokens are expanded as they are read, then run_list() > run_and_or() > run_pipeline() > a command.
 */
#define _GNU_SOURCE
#include "user/applets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TOKENS 512
#define MAX_LINE 8192

static int last_status;
static bool interactive;
static char **params; /* $0, $1, ... */
static int nparams;

/* -- tokens --------------------------------------------------------------------------------------------------- */

enum token_kind { T_WORD, T_OP, T_END };
struct token {
	enum token_kind kind;
	char *text; /* T_WORD: expanded; T_OP: "|", "&&", ">", "2>", ... */
};
static struct token tokens[MAX_TOKENS];
static int ntokens;

static char word[MAX_LINE];
static size_t word_len;
static bool word_glob; /* holds an unquoted * or ? */

static void word_put(const char *s)
{
	while (*s && word_len < sizeof(word) - 1)
		word[word_len++] = *s++;
}

static void word_putc(char c)
{
	if (word_len < sizeof(word) - 1)
		word[word_len++] = c;
}

static bool add_token(enum token_kind kind, const char *text)
{
	if (ntokens >= MAX_TOKENS - 1) {
		fprintf(stderr, "sh: too many words\n");
		return false;
	}
	tokens[ntokens++] = (struct token){kind, strdup(text)};
	return true;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* DIR/PATTERN: the names in DIR that match; the word itself if none does. */
static bool add_matches(void)
{
	char *slash = strrchr(word, '/'), *names[MAX_TOKENS];
	const char *pattern = slash ? slash + 1 : word;
	int prefix = slash ? (int)(slash - word) + 1 : 0, n = 0;
	char dir[MAX_LINE];
	struct dirent *e;
	bool good = true;
	DIR *d;

	snprintf(dir, sizeof(dir), "%.*s", prefix ? prefix : 1, prefix ? word : ".");
	d = opendir(dir);
	while (d && (e = readdir(d)) != NULL && n < MAX_TOKENS)
		if (!fnmatch(pattern, e->d_name, FNM_PERIOD) && asprintf(&names[n], "%.*s%s", prefix, word, e->d_name) >= 0)
			n++;
	if (d)
		closedir(d);
	if (!n)
		return add_token(T_WORD, word);
	qsort(names, (size_t)n, sizeof(*names), compare_strings);
	for (int i = 0; i < n; i++) {
		good = good && add_token(T_WORD, names[i]);
		free(names[i]);
	}
	return good;
}

/* -- $(( )) ------------------------------------------------------------------------------------------------------ */

static long arith_sum(const char **s);

static void blanks(const char **s)
{
	while (isspace((unsigned char)**s))
		++*s;
}

static long arith_unit(const char **s)
{
	long v = 0;

	blanks(s);
	if (**s == '-') {
		++*s;
		return -arith_unit(s);
	}
	if (**s == '(') {
		++*s;
		v = arith_sum(s);
		blanks(s);
		if (**s == ')')
			++*s;
		return v;
	}
	if (isalpha((unsigned char)**s) || **s == '_' || **s == '$') {
		char name[64];
		size_t n = 0;
		const char *value;

		*s += **s == '$';
		while ((isalnum((unsigned char)**s) || **s == '_') && n < sizeof(name) - 1)
			name[n++] = *(*s)++;
		name[n] = 0;
		value = getenv(name);
		return value ? atol(value) : 0;
	}
	return strtol(*s, (char **)s, 0);
}

static long arith_product(const char **s)
{
	long v = arith_unit(s);

	for (blanks(s); **s == '*' || **s == '/' || **s == '%'; blanks(s)) {
		char op = *(*s)++;
		long w = arith_unit(s);

		if (op == '*')
			v *= w;
		else if (w == 0)
			fprintf(stderr, "sh: division by zero\n");
		else
			v = op == '/' ? v / w : v % w;
	}
	return v;
}

static long arith_sum(const char **s)
{
	long v = arith_product(s);

	for (blanks(s); **s == '+' || **s == '-'; blanks(s)) {
		char op = *(*s)++;
		long w = arith_product(s);

		v = op == '+' ? v + w : v - w;
	}
	return v;
}

/* -- expansion ---------------------------------------------------------------------------------------------------- */

/* *s stands behind a '$'; appends the value and moves on. */
static void expand_dollar(const char **s)
{
	char name[128], number[32];
	size_t n = 0;
	bool braces;

	if ((*s)[0] == '(' && (*s)[1] == '(') {
		*s += 2;
		snprintf(number, sizeof(number), "%ld", arith_sum(s));
		word_put(number);
		blanks(s);
		*s += **s == ')';
		*s += **s == ')';
		return;
	}
	if (**s == '?' || **s == '$' || **s == '#') {
		snprintf(number, sizeof(number), "%d", **s == '?' ? last_status : **s == '$' ? (int)getpid() : nparams - 1);
		word_put(number);
		++*s;
		return;
	}
	if (isdigit((unsigned char)**s)) {
		int k = *(*s)++ - '0';

		word_put(k < nparams ? params[k] : "");
		return;
	}
	braces = **s == '{';
	*s += braces;
	while ((isalnum((unsigned char)**s) || **s == '_') && n < sizeof(name) - 1)
		name[n++] = *(*s)++;
	name[n] = 0;
	*s += braces && **s == '}';
	if (!n)
		word_putc('$');
	else if (getenv(name))
		word_put(getenv(name));
}

/* Reads one word into word[]; false: an open quote. */
static bool read_word(const char **s)
{
	char quote = 0;

	word_len = 0;
	word_glob = false;
	for (; **s;) {
		char c = **s;

		if (!quote && (isspace((unsigned char)c) || strchr("|&;<>", c)))
			break;
		++*s;
		if (quote ? c == quote : c == '\'' || c == '"') {
			quote = quote ? 0 : c;
		} else if (c == '\\' && quote != '\'' && **s && (!quote || strchr("\"\\$`", **s))) {
			word_putc(*(*s)++);
		} else if (c == '$' && quote != '\'') {
			expand_dollar(s);
		} else {
			word_glob |= !quote && (c == '*' || c == '?');
			word_putc(c);
		}
	}
	word[word_len] = 0;
	return !quote;
}

static const char *const operators[] = {"2>&1", "2>>", "2>", "&&", "||", ">>", "|", "&", ";", "<", ">"};

/* Takes tokens up to the end of a line or to an operator that ends a command list (; & && ||), because what
 * follows must be expanded later ($?).  Leaves *s behind them. */
static bool tokenize(const char **s)
{
	for (;;) {
		const char *op = NULL;

		while (**s == ' ' || **s == '\t')
			++*s;
		if (!**s || **s == '\n' || **s == '#')
			return true;
		for (size_t i = 0; !op && i < sizeof(operators) / sizeof(*operators); i++)
			if (!strncmp(*s, operators[i], strlen(operators[i])))
				op = operators[i];
		if (op && (op[0] == ';' || !strcmp(op, "&") || !strcmp(op, "&&") || !strcmp(op, "||")))
			return true;
		if (op) {
			*s += strlen(op);
			if (!add_token(T_OP, op))
				return false;
			continue;
		}
		if (!read_word(s)) {
			fprintf(stderr, "sh: a quote is not closed\n");
			return false;
		}
		if (!(word_glob ? add_matches() : add_token(T_WORD, word)))
			return false;
	}
}

static void free_tokens(void)
{
	for (int i = 0; i < ntokens; i++)
		free(tokens[i].text);
	ntokens = 0;
}

/* -- commands ----------------------------------------------------------------------------------------------------- */

struct command {
	char *argv[MAX_TOKENS];
	int argc;
	int first, last; /* its tokens, for the redirections */
};

static bool redirect_one(const char *op, const char *file)
{
	int to = op[0] == '2' ? 2 : op[0] == '<' ? 0 : 1, fd;

	if (!strcmp(op, "2>&1"))
		return dup2(1, 2) >= 0;
	if (op[0] == '<')
		fd = open(file, O_RDONLY);
	else
		fd = open(file, O_WRONLY | O_CREAT | (strstr(op, ">>") ? O_APPEND : O_TRUNC), 0666);
	if (fd < 0) {
		fprintf(stderr, "sh: %s: %s\n", file, strerror(errno));
		return false;
	}
	dup2(fd, to);
	if (fd != to)
		close(fd);
	return true;
}

static bool redirect(const struct command *c)
{
	for (int i = c->first; i < c->last; i++) {
		if (tokens[i].kind != T_OP)
			continue;
		if (!strcmp(tokens[i].text, "2>&1")) {
			if (!redirect_one("2>&1", NULL))
				return false;
		} else if (!redirect_one(tokens[i].text, tokens[i + 1].text)) {
			return false;
		}
	}
	return true;
}

static void parse_command(struct command *c, int first, int last)
{
	c->first = first;
	c->last = last;
	c->argc = 0;
	for (int i = first; i < last; i++) {
		if (tokens[i].kind == T_WORD)
			c->argv[c->argc++] = tokens[i].text;
		else
			i += strcmp(tokens[i].text, "2>&1") != 0; /* its file is no argument */
	}
	c->argv[c->argc] = NULL;
}

/* -- built in ------------------------------------------------------------------------------------------------------ */

static int assign(const char *text)
{
	char *copy = strdup(text), *eq = strchr(copy, '=');
	int status = 0;

	if (eq) {
		*eq = 0;
		status = setenv(copy, eq + 1, 1) ? 1 : 0;
	}
	free(copy);
	return status;
}

static bool is_assignment(const char *w)
{
	size_t n = 0;

	while (isalnum((unsigned char)w[n]) || w[n] == '_')
		n++;
	return n && !isdigit((unsigned char)w[0]) && w[n] == '=';
}

static int kill_main(int argc, char **argv)
{
	int sig = SIGTERM, first = 1, status = 0;

	if (argc > 1 && argv[1][0] == '-') {
		sig = atoi(argv[1] + 1);
		first = 2;
	}
	for (int i = first; i < argc; i++)
		if (kill(atoi(argv[i]), sig)) {
			perror("kill");
			status = 1;
		}
	return status;
}

static int echo_main(int argc, char **argv)
{
	bool newline = !(argc > 1 && !strcmp(argv[1], "-n"));

	for (int i = newline ? 1 : 2; i < argc; i++)
		printf("%s%s", argv[i], i + 1 < argc ? " " : "");
	if (newline)
		putchar('\n');
	return fflush(stdout) ? 1 : 0;
}

static int wait_all(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return 0;
}

static int cd_main(int argc, char **argv)
{
	const char *to = argc > 1 ? argv[1] : getenv("HOME");

	if (to && !chdir(to))
		return 0;
	fprintf(stderr, "cd: %s: %s\n", to ? to : "?", strerror(errno));
	return 1;
}

/* Runs a command that must happen in the shell itself; false: it is none. */
static bool run_builtin(struct command *c, int *status)
{
	char cwd[4096], *name = c->argv[0];

	*status = 0;
	if (!strcmp(name, "cd")) {
		*status = cd_main(c->argc, c->argv);
	} else if (!strcmp(name, "exit")) {
		exit(c->argc > 1 ? atoi(c->argv[1]) : last_status);
	} else if (!strcmp(name, "export")) {
		for (int i = 1; i < c->argc; i++)
			*status |= assign(c->argv[i]);
	} else if (!strcmp(name, "unset")) {
		for (int i = 1; i < c->argc; i++)
			unsetenv(c->argv[i]);
	} else if (!strcmp(name, "set")) {
		for (char **e = environ; *e; e++)
			puts(*e);
	} else if (!strcmp(name, "wait")) {
		*status = wait_all();
	} else if (!strcmp(name, "echo")) {
		*status = echo_main(c->argc, c->argv);
	} else if (!strcmp(name, "pwd")) {
		*status = getcwd(cwd, sizeof(cwd)) ? puts(cwd) < 0 : 1;
	} else if (!strcmp(name, "kill")) {
		*status = kill_main(c->argc, c->argv);
	} else if (!strcmp(name, "true") || !strcmp(name, ":")) {
		*status = 0;
	} else if (!strcmp(name, "false")) {
		*status = 1;
	} else if (is_assignment(name) && c->argc == 1) {
		*status = assign(name);
	} else {
		return false;
	}
	fflush(stdout);
	return true;
}

/* In a child: never returns. */
static void __attribute__((noreturn)) exec_command(struct command *c)
{
	applet_fn *applet;
	int status;

	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	if (!redirect(c))
		exit(1);
	for (; c->argc > 1 && is_assignment(c->argv[0]); c->argc--) { /* NAME=value command */
		assign(c->argv[0]);
		memmove(c->argv, c->argv + 1, (size_t)c->argc * sizeof(*c->argv));
	}
	if (!c->argc || run_builtin(c, &status))
		exit(c->argc ? status : 0);
	execvp(c->argv[0], c->argv);
	if (errno == ENOENT && (applet = applet_find(c->argv[0])) != NULL) {
		status = applet(c->argc, c->argv);
		exit(fflush(stdout) ? 1 : status);
	}
	fprintf(stderr, "sh: %s: %s\n", c->argv[0], errno == ENOENT ? "not found" : strerror(errno));
	exit(errno == ENOENT ? 127 : 126);
}

/* -- pipelines ------------------------------------------------------------------------------------------------------ */

static void give_terminal(pid_t pgid)
{
	if (interactive)
		tcsetpgrp(0, pgid);
}

static int status_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (interactive && WTERMSIG(status) != SIGINT && WTERMSIG(status) != SIGPIPE)
		fprintf(stderr, "%s\n", strsignal(WTERMSIG(status)));
	else if (interactive)
		fputc('\n', stderr);
	return 128 + WTERMSIG(status);
}

/* Fork one command of a pipeline: reads @in, writes @out; @unused is the read end that belongs to the next. */
static pid_t fork_command(struct command *c, int in, int out, int unused, pid_t pgid, bool background)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		perror("sh: fork");
	if (pid)
		return pid;
	if (interactive) {
		setpgid(0, pgid);
		if (!background)
			give_terminal(pgid ? pgid : getpid());
	}
	if (unused >= 0)
		close(unused);
	if (in != 0) {
		dup2(in, 0);
		close(in);
	}
	if (out != 1) {
		dup2(out, 1);
		close(out);
	}
	exec_command(c);
}

static int wait_pipeline(pid_t last, pid_t pgid, int count)
{
	int status = 0, result = 0;

	while (count > 0) {
		pid_t pid = interactive ? waitpid(-pgid, &status, 0) : waitpid(-1, &status, 0);

		if (pid < 0 && errno != EINTR)
			break;
		if (pid < 0)
			continue;
		if (pid == last)
			result = status;
		count -= interactive || pid == last ? 1 : 0;
		if (!interactive && pid == last)
			break;
	}
	give_terminal(getpgrp());
	return status_of(result);
}

/* The tokens are "command | command | ...". Returns the exit status of the last one. */
static int run_pipeline(bool background)
{
	static struct command c;
	int first = 0, in = 0, count = 0, status;
	pid_t pgid = 0, pid = -1;

	for (int i = 0; i < ntokens; i++)
		if (tokens[i].kind == T_OP && strcmp(tokens[i].text, "2>&1") &&
		    (i + 1 >= ntokens || tokens[i + 1].kind != T_WORD || (i == 0 && tokens[i].text[0] == '|'))) {
			fprintf(stderr, "sh: syntax error near '%s'\n", tokens[i].text);
			return 2;
		}
	for (int i = 0; i <= ntokens; i++) {
		int fds[2] = {-1, 1};
		bool end = i == ntokens;

		if (!end && !(tokens[i].kind == T_OP && tokens[i].text[0] == '|'))
			continue;
		parse_command(&c, first, i);
		first = i + 1;
		if (end && !count && !background && c.argc == c.last - c.first && run_builtin(&c, &status))
			return status;
		if (!end && pipe2(fds, O_CLOEXEC)) {
			perror("sh: pipe");
			break;
		}
		pid = fork_command(&c, in, fds[1], fds[0], pgid, background);
		if (in)
			close(in);
		if (!end)
			close(fds[1]);
		in = fds[0];
		if (pid < 0)
			break;
		if (interactive)
			setpgid(pid, pgid ? pgid : pid);
		pgid = pgid ? pgid : pid;
		count++;
	}
	if (in > 0)
		close(in);
	if (pid < 0)
		return 126;
	if (background) {
		fprintf(stderr, "[%d]\n", (int)pid);
		return 0;
	}
	return wait_pipeline(pid, pgid, count);
}

/* -- lists --------------------------------------------------------------------------------------------------------- */

/* Runs one line (or several, separated by newlines). */
static void run_text(const char *s)
{
	bool skip = false; /* the next pipeline is not wanted: false && x, true || x */

	while (*s) {
		bool background;
		bool good;

		free_tokens();
		good = tokenize(&s);
		background = s[0] == '&' && s[1] != '&';
		if (!good) {
			last_status = 2;
			s += strcspn(s, "\n");
		} else if (ntokens && !skip) {
			last_status = run_pipeline(background);
		}
		if (*s == '#')
			s += strcspn(s, "\n");
		if (s[0] == '&' && s[1] == '&') {
			skip = last_status != 0;
			s += 2;
		} else if (s[0] == '|' && s[1] == '|') {
			skip = last_status == 0;
			s += 2;
		} else {
			skip = false;
			s += *s != 0;
		}
	}
	free_tokens();
}

static void prompt(void)
{
	char cwd[1024];

	fprintf(stderr, "pteron:%s# ", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
}

static void run_file(FILE *f)
{
	static char line[MAX_LINE];

	for (;;) {
		if (interactive) {
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
			prompt();
		}
		if (!fgets(line, sizeof(line), f)) {
			if (ferror(f) && errno == EINTR) {
				clearerr(f);
				continue;
			}
			return;
		}
		run_text(line);
	}
}

static void be_interactive(void)
{
	interactive = true;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	setpgid(0, 0);
	give_terminal(getpgrp());
}

int main(int argc, char **argv)
{
	FILE *f = stdin;

	setenv("PATH", "/bin:/sbin", 0);
	params = argv;
	nparams = 1;
	if (argc > 2 && !strcmp(argv[1], "-c")) {
		run_text(argv[2]);
		return last_status;
	}
	if (argc > 1 && argv[1][0] != '-') {
		f = fopen(argv[1], "re");
		if (!f) {
			fprintf(stderr, "sh: %s: %s\n", argv[1], strerror(errno));
			return 127;
		}
		params = argv + 1;
		nparams = argc - 1;
	} else if (isatty(0)) {
		be_interactive();
	}
	run_file(f);
	return last_status;
}
