/* The claim protocol of ratelimit/table.hpp (docs/limiter.md, "The claim protocol"), for one key, as spin checks it.

   One step here is one access to a word there: a load, or a compare-and-swap. Memory is sequentially consistent, as the code asks
   of every access of an insert. Where the code decides by what it has counted or seen before (which word it takes, whether it has
   found its key, whether it has lost its patience) the model tries every answer, so it can do all that the code can, and more.
   claim_protocol_test.py sets the sizes, and breaks the protocol by one of the names in capitals (NO_LOOK, ANONYMOUS, ...): each
   break must be found out. */

#ifndef WORDS
#define WORDS 3      /* candidate words of the key, the first of highest priority */
#endif
#ifndef CLAIMANTS
#define CLAIMANTS 2  /* threads that charge the key once */
#endif
#ifndef ROUNDS
#define ROUNDS 3     /* times that each looks for its key before it gives up; the code never does */
#endif
#ifndef OTHERS
#define OTHERS 2     /* changes by time, by other keys and by the sweeper */
#endif
#ifndef BURST
#define BURST 2
#endif

/* A word: */
#define EMPTY 0
#define FOREIGN 1           /* another key's member: free where it is idle, and evicted where nothing is free */
#define ABANDONED 2         /* a claim of the key whose owner is gone */
#define CLAIM(who) (3 + who)
#define MEMBER(count) (16 + count)
#define is_claim(word) (word >= ABANDONED && word < MEMBER(0))
#define is_member(word) (word >= MEMBER(0))

#ifdef ANONYMOUS
#define MINE CLAIM(0)
#else
#define MINE CLAIM(me)
#endif
byte word[WORDS];
byte admitted;  /* charges whose verdict was given */
byte gone;      /* those of them that were evicted, or that time has given back */
byte running;

#define holds_member(index) (is_member(word[index]) -> 1 : 0)
#if WORDS == 2
#define members (holds_member(0) + holds_member(1))
#elif WORDS == 3
#define members (holds_member(0) + holds_member(1) + holds_member(2))
#endif

/* Puts the key's first charge in place. */
inline becomes_member(index) {
  word[index] = MEMBER(1);
  admitted++;
  assert(members == 1)
}

/* A step that fails sends the thread back to the beginning, with no memory of the round. */
inline forget() {
  at = 0;
  seen = 0;
  taken = 0;
  impatient = 0
}

inline leave() {
  forget();
  round = 0;
  running--;
  goto done
}

proctype Claimant(byte me) {
  byte at, seen, taken, round;
  bit impatient;

again:
  /* locate, and a: a member of the key is charged; anything of others may be taken. Both begin with the load of one word. */
  atomic {
    forget();
    if
    :: round == ROUNDS -> leave()
    :: else -> round++; select(taken : 0 .. WORDS - 1)
    fi;
    seen = word[taken];
    if
    :: is_member(seen) -> at = taken; goto charge
    :: is_claim(seen) -> goto again
    :: else
    fi
  }

  /* b: claim */
  atomic {
    if
#ifdef CLAIM_STORES
    :: true -> word[taken] = MINE
#else
    :: word[taken] == seen -> word[taken] = MINE
    :: else -> goto again
#endif
    fi;
    seen = 0;
#ifdef ADMITS_BY_CLAIM
    admitted++;
#endif
    if
    :: impatient = 0
    :: impatient = 1
    fi
  }

  /* c: look */
#ifndef NO_LOOK
  do
  :: atomic {
       at < WORDS -> seen = word[at];
       if
       :: at == taken || !(is_claim(seen) || is_member(seen)) -> at++; seen = 0
#ifdef IGNORES_MEMBERS
       :: at != taken && is_member(seen) -> at++; seen = 0
#else
       :: at != taken && is_member(seen) -> goto withdraw
#endif
#ifdef NO_YIELD
       :: at < taken && is_claim(seen) -> at++; seen = 0
#else
       :: at < taken && is_claim(seen) && !impatient -> goto withdraw
       :: at < taken && is_claim(seen) && impatient -> skip
#endif
#ifdef NO_KILL
       :: at > taken && is_claim(seen) -> at++; seen = 0
#else
       :: at > taken && is_claim(seen) -> skip
#endif
       fi
     }
     if
     :: seen == 0
     :: atomic {
          seen != 0 ->
          if
#ifdef KILL_STORES
          :: true -> word[at] = EMPTY; at++
#else
          :: word[at] == seen -> word[at] = EMPTY; at++
#ifdef NO_LOOK_AGAIN
          :: word[at] != seen -> at++
#else
          :: word[at] != seen -> at = 0
#endif
#endif
          fi;
          seen = 0
        }
     fi
  :: at == WORDS -> break
  od;
#endif

  /* d: finalise */
  atomic {
    if
#ifdef FINALISE_STORES
    :: true -> becomes_member(taken); leave()
#else
    :: word[taken] == MINE -> becomes_member(taken); leave()
    :: else -> goto again
#endif
    fi
  }

withdraw:
  atomic {
    if
#ifdef WITHDRAW_STORES
    :: true -> word[taken] = EMPTY
#else
    :: word[taken] == MINE -> word[taken] = EMPTY
    :: else
#endif
    fi;
    goto again
  }

  /* A member was found: one more charge, or a refusal, which stores nothing. */
charge:
  atomic {
    if
    :: seen >= MEMBER(BURST) -> leave()
#ifdef CHARGE_STORES
    :: else -> word[at] = seen + 1; admitted++; leave()
#else
    :: seen < MEMBER(BURST) && word[at] == seen -> word[at] = seen + 1; admitted++; leave()
    :: else ->
       seen = word[at];
       if
       :: is_member(seen) -> goto charge
       :: else -> goto again
       fi
#endif
    fi
  }

done:
  skip
}

/* Words are taken by other keys and freed again. The key's member goes idle (it is MEMBER(0) then, and still its own), is swept, and
   where both lines are full it is evicted. The sweeper kills claims: its swap holds only where the word is still what it has
   seen, so it is as good as one step. */
proctype Others() {
  byte left = OTHERS, at;
  do
  :: left == 0 -> break
  :: atomic {
       left > 0 ->
       select(at : 0 .. WORDS - 1);
       if
       :: word[at] == EMPTY -> word[at] = FOREIGN
       :: word[at] == FOREIGN -> word[at] = EMPTY
       :: is_member(word[at]) -> gone = gone + word[at] - MEMBER(0); word[at] = MEMBER(0)
       :: is_member(word[at]) -> gone = gone + word[at] - MEMBER(0); word[at] = FOREIGN
       :: word[at] == MEMBER(0) -> word[at] = EMPTY
#ifdef SWEEP_STORES
       :: is_claim(word[at]) -> goto store
#else
       :: is_claim(word[at]) -> word[at] = EMPTY
#endif
       fi;
       at = 0;
       left--
     }
  od;
  atomic {
    running--;
    goto done
  }
store:
  atomic {
    word[at] = EMPTY;
    running--
  }
done:
  skip
}

init {
  byte at, owed;
  atomic {
    /* Perhaps somebody died in the middle of an insert. */
    if
    :: true
    :: select(at : 0 .. WORDS - 1); word[at] = ABANDONED
    fi;
    at = 0;
    running = CLAIMANTS + 1;
    do
    :: at < CLAIMANTS -> run Claimant(at); at++
    :: else -> break
    od;
    at = 0;
    run Others()
  }
  atomic {
    running == 0 ->
    /* Whoever leaves has left no claim, and every charge that was admitted is owed, was evicted and counted, or was given back by time. */
    do
    :: at < WORDS ->
       if
       :: is_member(word[at]) -> owed = owed + word[at] - MEMBER(0)
       :: else -> assert(word[at] <= ABANDONED)
       fi;
       at++
    :: else -> break
    od;
    assert(admitted == owed + gone)
  }
}
