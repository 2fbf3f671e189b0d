/*
 * list.h - circular doubly linked lists, intrusive.  Layer 0.
 *
 * A `struct list` is both a head and a link.  No locks; callers serialise.
 */
#ifndef KERNEL_LIB_LIST_H
#define KERNEL_LIB_LIST_H

#include "kernel/lib/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)  \
	{                    \
		&(name), &(name) \
	}

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline void list_link_between(struct list *new, struct list *prev, struct list *next)
{
	next->prev = new;
	new->next = next;
	new->prev = prev;
	prev->next = new;
}

/* First of @head. */
static inline void list_add(struct list *new, struct list *head)
{
	list_link_between(new, head, head->next);
}

/* Last of @head; or, if @head is an element, just before it. */
static inline void list_add_tail(struct list *new, struct list *head)
{
	list_link_between(new, head->prev, head);
}

/* Take out; the link's own pointers become garbage that faults on use. */
static inline void list_del(struct list *l)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	l->next = NULL;
	l->prev = NULL;
}

static inline void list_del_init(struct list *l)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	list_init(l);
}

static inline bool list_empty(const struct list *head)
{
	return READ_ONCE(head->next) == head;
}

static inline bool list_is_single(const struct list *head)
{
	return head->next != head && head->next == head->prev;
}

static inline void list_move(struct list *l, struct list *head)
{
	list_del(l);
	list_add(l, head);
}

static inline void list_move_tail(struct list *l, struct list *head)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	list_add_tail(l, head);
}

/* All of @from to the end of @head; @from becomes empty. */
static inline void list_splice_tail(struct list *from, struct list *head)
{
	if (list_empty(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_first_entry_or_null(head, type, member) (list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_next_entry(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member) list_entry((pos)->member.prev, __typeof__(*(pos)), member)

#define list_for_each(l, head) for ((l) = (head)->next; (l) != (head); (l) = (l)->next)

#define list_for_each_entry(pos, head, member)                                                 \
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member); &(pos)->member != (head); \
	     (pos) = list_next_entry(pos, member))

/* @pos may be taken out and freed in the body. */
#define list_for_each_entry_safe(pos, tmp, head, member)                                                   \
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member), (tmp) = list_next_entry(pos, member); \
	     &(pos)->member != (head); (pos) = (tmp), (tmp) = list_next_entry(tmp, member))

#define list_for_each_entry_reverse(pos, head, member)                                        \
	for ((pos) = list_last_entry(head, __typeof__(*(pos)), member); &(pos)->member != (head); \
	     (pos) = list_prev_entry(pos, member))

#endif
