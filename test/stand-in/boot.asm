; A small guest that shows pictures: one scene after the other, from a list that test/stand-in/build.ts puts on its disk.
; Assembled with: nasm -f bin boot.asm
;
; Disk: sectors 0 to 15 this program, 16 to 31 the list (entries of 32 bytes, below), then the scenes' data.
; It works in real mode with the BIOS, and reaches memory above 1 MiB by "unreal mode": a segment register that was
; given a limit of 4 GiB in protected mode keeps it. BIOS calls may take that away, so it is made anew before each use.

list_at     equ 0xA000
chunk_at    equ 0x10000         ; linear; what int 13h reads to
data_at     equ 0x400000        ; linear; a scene's data
vbe_at      equ 0x7000
mode_at     equ 0x7200

entry_kind    equ 0             ; 1 text 80x25, 2 text 80x50, 3 planes 640x480x16, 4 pixels of 32 bits, 5 text 8x14; 0xF0.. an end
entry_flags   equ 1             ; 1 cells of 8 pixels instead of 9, 2 no cursor
entry_width   equ 2
entry_height  equ 4
entry_lba     equ 8
entry_sectors equ 12
entry_ticks   equ 16            ; of 1/18.2 s; 0xFFFFFFFF: until a byte comes in at the serial port
entry_bytes   equ 20
entry_cursor  equ 24            ; row in the high byte, column in the low one

bits 16
org 0x7c00

start:
    jmp 0:.here
.here:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7000
    mov [drive], dl
    mov si, rest_packet
    mov ah, 0x42
    int 0x13
    jc $
    mov dl, [drive]
    mov si, list_packet
    mov ah, 0x42
    int 0x13
    jc $
    jmp main

drive: db 0
align 4
rest_packet: dw 16, 15, 0x7e00, 0
             dq 1
list_packet: dw 16, 16, list_at, 0
             dq 16

times 510 - ($ - $$) db 0
dw 0xaa55

main:
    in al, 0x92                 ; A20
    or al, 2
    and al, 0xfe
    out 0x92, al
    call serial_init
    mov bp, list_at

next_scene:
    mov al, [bp + entry_kind]
    cmp al, 0xf0
    jae the_end
    call load
    mov al, [bp + entry_kind]
    cmp al, 3
    je .planes
    cmp al, 4
    je .pixels
    call draw_text
    jmp .drawn
.planes:
    call draw_planes
    jmp .drawn
.pixels:
    call draw_pixels
.drawn:
    call tell
    call wait_scene
    add bp, 32
    inc word [number]
    jmp next_scene

the_end:
    cmp al, 0xf1
    je .reset
    cmp al, 0xf2
    je .hang
    cmp al, 0xf3
    je .panic
    cmp al, 0xf4
    je .again
.halt:
    hlt
    jmp .halt
.reset:
    mov al, 0x06                ; reset by the chipset; a keyboard controller's may be switched off
    mov dx, 0xcf9
    out dx, al
    mov al, 0xfe
    out 0x64, al
    jmp .halt
.hang:
    cli
    jmp .hang
.panic:
    mov dx, 0x505               ; pvpanic's port; 1: panicked
    mov al, 1
    out dx, al
    jmp .halt
.again:
    mov bp, list_at
    mov word [number], 0
    jmp next_scene

; ---- memory and disk

align 8
gdt: dq 0
     dq 0x008f92000000ffff      ; data, base 0, limit 4 GiB
gdt_end:
gdt_pointer: dw gdt_end - gdt - 1
             dd gdt

; FS becomes flat. Interrupts are off afterwards.
unreal:
    cli
    push eax
    push bx
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp $+2
    mov bx, 8
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    jmp $+2
    xor bx, bx
    mov fs, bx
    pop bx
    pop eax
    ret

; Reads the scene's data to data_at.
load:
    mov eax, [bp + entry_lba]
    mov [packet_lba], eax
    mov ecx, [bp + entry_sectors]
    mov edi, data_at
.chunk:
    jecxz .done
    mov eax, 64
    cmp ecx, eax
    jae .size
    mov eax, ecx
.size:
    mov [packet_count], ax
    push eax
    push ecx
    push edi
    mov dl, [drive]
    mov si, packet
    mov ah, 0x42
    int 0x13
    pop edi
    pop ecx
    pop eax
    jc $
    sub ecx, eax
    add [packet_lba], eax
    push ecx
    mov ecx, eax
    shl ecx, 7                  ; dwords
    call unreal
    mov esi, chunk_at
.copy:
    a32 mov eax, [fs:esi]
    a32 mov [fs:edi], eax
    add esi, 4
    add edi, 4
    dec ecx
    jnz .copy
    sti
    pop ecx
    jmp .chunk
.done:
    ret

align 4
packet: dw 16
packet_count: dw 0
    dw 0, chunk_at >> 4
packet_lba: dq 0

; ---- drawing

; Characters and attributes, copied into text memory.
draw_text:
    mov dword [shown], 0
    mov ax, 0x0003
    int 0x10
    mov al, [bp + entry_kind]
    cmp al, 2
    jne .not_small
    mov ax, 0x1112              ; 8x8 font: 50 lines
    xor bl, bl
    int 0x10
.not_small:
    cmp al, 5
    jne .font_set
    mov ax, 0x1111              ; 8x14 font
    xor bl, bl
    int 0x10
.font_set:
    mov ax, 0x1003              ; bright backgrounds instead of blinking
    xor bx, bx
    int 0x10
    test byte [bp + entry_flags], 1
    jz .wide_cells
    mov dx, 0x3c4
    mov al, 1
    out dx, al
    inc dx
    in al, dx
    or al, 1
    out dx, al
.wide_cells:
    mov dx, [bp + entry_cursor]
    mov ah, 2
    xor bh, bh
    int 0x10
    test byte [bp + entry_flags], 2
    jz .cursor_set
    mov ah, 1
    mov cx, 0x2000
    int 0x10
.cursor_set:
    call unreal
    mov esi, data_at
    mov edi, 0xb8000
    mov ecx, [bp + entry_bytes]
.copy:
    a32 mov al, [fs:esi]
    a32 mov [fs:edi], al
    inc esi
    inc edi
    dec ecx
    jnz .copy
    sti
    ret

; 16 colours of 3 bytes (6 bits each), then four planes of 38400 bytes, packed as runs: count, byte.
draw_planes:
    mov dword [shown], 0
    mov ax, 0x0012
    int 0x10
    xor bx, bx
.palette:                       ; attribute n shows colour n
    mov ax, 0x1000
    push bx
    int 0x10
    pop bx
    inc bl
    inc bh
    cmp bl, 16
    jne .palette
    call unreal
    mov esi, data_at
    mov dx, 0x3c8
    xor al, al
    out dx, al
    inc dx
    mov cx, 48
.colours:
    a32 mov al, [fs:esi]
    inc esi
    out dx, al
    loop .colours
    mov byte [plane], 1
.plane:
    mov dx, 0x3c4
    mov al, 2
    mov ah, [plane]
    out dx, ax
    mov edi, 0xa0000
.run:
    a32 mov cl, [fs:esi]
    a32 mov al, [fs:esi + 1]
    add esi, 2
.byte:
    a32 mov [fs:edi], al
    inc edi
    dec cl
    jnz .byte
    cmp edi, 0xa0000 + 38400
    jb .run
    shl byte [plane], 1
    cmp byte [plane], 16
    jne .plane
    sti
    ret
plane: db 0

; Pixels, packed as runs: count, blue, green, red. A run ends with its row.
draw_pixels:
    mov eax, [bp + entry_width] ; and height: a mode that is set is left alone, so pictures change without a black moment
    cmp eax, [shown]
    je .mode_set
    mov [shown], eax
    call find_mode
    or bx, 0x4000
    mov ax, 0x4f02
    int 0x10
.mode_set:
    call unreal
    mov esi, data_at
    mov ebx, [mode_at + 40]
    movzx edx, word [bp + entry_height]
.row:
    mov edi, ebx
    movzx ecx, word [bp + entry_width]
.run:
    a32 mov eax, [fs:esi]
    add esi, 4
    push edx
    movzx edx, al
    sub ecx, edx
    shr eax, 8
.pixel:
    a32 mov [fs:edi], eax
    add edi, 4
    dec edx
    jnz .pixel
    pop edx
    or ecx, ecx
    jnz .run
    movzx eax, word [mode_at + 16]
    add ebx, eax
    dec edx
    jnz .row
    sti
    ret

align 4
shown: dd 0                     ; width and height of the mode with 32 bits a pixel that is set; 0: another kind of mode

; The VBE mode of the scene's size with 32 bits a pixel, in BX; its description is at mode_at.
find_mode:
    mov dword [vbe_at], 'VBE2'
    mov ax, 0x4f00
    mov di, vbe_at
    int 0x10
    mov si, [vbe_at + 14]
    mov es, [vbe_at + 16]
.next:
    mov cx, [es:si]
    add si, 2
    cmp cx, 0xffff
    je $
    push es
    push si
    push cx
    xor ax, ax
    mov es, ax
    mov di, mode_at
    mov ax, 0x4f01
    int 0x10
    pop bx
    pop si
    pop es
    mov ax, [bp + entry_width]
    cmp ax, [mode_at + 18]
    jne .next
    mov ax, [bp + entry_height]
    cmp ax, [mode_at + 20]
    jne .next
    cmp byte [mode_at + 25], 32
    jne .next
    xor ax, ax
    mov es, ax
    ret

; ---- the serial port: "scene 7" when it stands on the screen; a byte from there moves on

serial_init:
    mov si, .values
.next:
    mov dx, [si]
    or dx, dx
    jz .done
    mov al, [si + 2]
    out dx, al
    add si, 3
    jmp .next
.done:
    ret
.values:
    dw 0x3f9
    db 0
    dw 0x3fb
    db 0x80
    dw 0x3f8
    db 1
    dw 0x3f9
    db 0
    dw 0x3fb
    db 3
    dw 0

put:                            ; AL
    push ax
    mov dx, 0x3fd
.full:
    in al, dx
    test al, 0x20
    jz .full
    pop ax
    mov dx, 0x3f8
    out dx, al
    ret

tell:
    mov si, .words
.letter:
    lodsb
    or al, al
    jz .number
    call put
    jmp .letter
.number:
    mov ax, [number]
    mov bx, 10
    xor cx, cx
.digit:
    xor dx, dx
    div bx
    push dx
    inc cx
    or ax, ax
    jnz .digit
.out:
    pop ax
    add al, '0'
    call put
    loop .out
    mov al, 10
    call put
    ret
.words: db "scene ", 0
number: dw 0

wait_scene:
    mov eax, [bp + entry_ticks]
    cmp eax, 0xffffffff
    je .until_told
    mov ebx, [0x46c]
.tick:
    sti
    hlt
    mov ecx, [0x46c]
    sub ecx, ebx
    cmp ecx, eax
    jb .tick
    ret
.until_told:
    sti
    hlt
    mov dx, 0x3fd
    in al, dx
    test al, 1
    jz .until_told
    mov dx, 0x3f8
    in al, dx
    ret

times 16 * 512 - ($ - $$) db 0
