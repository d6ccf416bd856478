@echo off
rem Begun by the first logon, from the answers' medium: copies what is beside it, and leaves the work to a task that goes on
rem over restarts and removes itself in the end.
if exist C:\Bulkhead\start.log exit /b 0
md C:\Bulkhead
rem Nobody but the system and administrators, whose names differ by language.
icacls C:\Bulkhead /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F > C:\Bulkhead\start.log 2>&1
xcopy "%~dp0*.*" C:\Bulkhead\ /e /i /y /q >> C:\Bulkhead\start.log 2>&1
schtasks /create /f /tn Bulkhead /sc onstart /ru SYSTEM /rl highest /tr "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File C:\Bulkhead\first-boot.ps1" >> C:\Bulkhead\start.log 2>&1
schtasks /run /tn Bulkhead >> C:\Bulkhead\start.log 2>&1
